package wire

import "robotrader/broker/market"

// The tick types of a [TickOptionComputation]. Section 4.2.
const (
	TickBidOption         TickType = 10
	TickAskOption         TickType = 11
	TickLastOption        TickType = 12
	TickModelOption       TickType = 13
	TickDelayedBidOption  TickType = 80
	TickDelayedAskOption  TickType = 81
	TickDelayedLastOption TickType = 82
	TickDelayedModel      TickType = 83
)

// TickOptionComputation is what a venue computes of an option. nil is not
// computed: -1 on the wire, for delta, gamma, vega and theta -2.
type TickOptionComputation struct {
	ReqID                     int
	Type                      TickType
	Attrs                     int      // 0 by return, 1 by price
	ImpliedVol                *float64 // any number below 0 is not computed
	Delta, Gamma, Vega, Theta *float64
	OptPrice                  *market.Price
	PVDividend                *market.Price
	UnderlyingPrice           *market.Price
}

// ID implements [Message].
func (TickOptionComputation) ID() int { return IDTickOptionComputation }

// Append implements [Message].
func (m TickOptionComputation) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "tickOptionComputation", IDTickOptionComputation)
	w.int(m.ReqID)
	w.int(int(m.Type))
	w.int(m.Attrs)
	w.computed("impliedVol", m.ImpliedVol, -1)
	w.computed("delta", m.Delta, -2)
	w.computedPrice(m.OptPrice)
	w.computedPrice(m.PVDividend)
	w.computed("gamma", m.Gamma, -2)
	w.computed("vega", m.Vega, -2)
	w.computed("theta", m.Theta, -2)
	w.computedPrice(m.UnderlyingPrice)
	return w.finish()
}

func (w *writer) computed(field string, f *float64, unset float64) {
	if f == nil {
		f = &unset
	}
	w.double(field, f)
}

func (w *writer) computedPrice(p *market.Price) {
	if p == nil {
		p = &minusOne
	}
	w.price(*p)
}

func (m *TickOptionComputation) read(r *reader) {
	m.ReqID = r.int("reqId")
	m.Type = TickType(r.int("tickType"))
	m.Attrs = r.int("tickAttrib")
	if m.ImpliedVol = r.double("impliedVol"); m.ImpliedVol != nil && *m.ImpliedVol < 0 {
		m.ImpliedVol = nil
	}
	m.Delta = r.computed("delta")
	m.OptPrice = r.computedPrice("optPrice")
	m.PVDividend = r.computedPrice("pvDividend")
	m.Gamma = r.computed("gamma")
	m.Vega = r.computed("vega")
	m.Theta = r.computed("theta")
	m.UnderlyingPrice = r.computedPrice("undPrice")
}

// computed reads a number of which -2 says that there is none.
func (r *reader) computed(field string) *float64 {
	f := r.double(field)
	if f != nil && *f == -2 {
		return nil
	}
	return f
}

// computedPrice reads a price of which -1 says that there is none.
func (r *reader) computedPrice(field string) *market.Price {
	p := r.optPrice(field)
	if p != nil && *p == minusOne {
		return nil
	}
	return p
}
