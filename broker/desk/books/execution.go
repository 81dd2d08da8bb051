package books

import (
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Execution is an [order.Fill] as the books keep it for three market days: there
// may be 262,144 of them. What many have in common is there once, and the versions
// of one execution are one. It is 128 bytes and its id; see [Execution.Fill].
type Execution struct {
	ExecID string // of the newest version
	Ref    string
	*deal
	OrderID, PermID int64
	Qty             market.Qty // 0 = it was taken back
	Price           market.Price
	seconds         int64 // of its time, since 1970
	commission, pnl market.Money
	nanoseconds     int32
	charged, gained bool   // commission and pnl were told
	older           *older // versions that count nowhere any more, nil without one
}

// deal is what the executions of a day have in common.
type deal struct {
	Account            string
	Symbol             market.Symbol
	Side               order.Side
	exchange, currency string
	ClientID           int
	conID              int64
	zone               *time.Location // of their times
}

// older are the other versions of an execution.
type older struct {
	replaced string   // which of them the newest one corrects
	ids      []string // that were told
}

// set makes x the version that f is.
func (b *Books) set(x *Execution, f order.Fill) {
	d := deal{f.Account, f.Symbol, f.Side, f.Exchange, f.Currency, f.ClientID, f.ConID, b.zoneOf(f.At)}
	if x.deal == nil || *x.deal != d {
		x.deal = b.deals[d]
		if x.deal == nil {
			x.deal = &d
			b.deals[d] = &d
		}
	}
	x.ExecID, x.Ref, x.OrderID, x.PermID, x.Qty, x.Price = f.ExecID, f.Ref, f.OrderID, f.PermID, f.Qty, f.Price
	x.seconds, x.nanoseconds = f.At.Unix(), int32(f.At.Nanosecond()) //nolint:gosec // below 1e9
	x.commission, x.charged = amount(f.Commission)
	x.pnl, x.gained = amount(f.RealizedPNL)
	if f.Replaces != "" {
		x.before().replaced = f.Replaces
	}
}

// offsetZone is a zone of times by what it is called and, as a decoded one has no name,
// by how far it is from UTC then, seconds.
type offsetZone struct {
	name   string
	offset int
}

// zoneOf is the zone of a time, each once: a venue's may be made anew with each.
func (b *Books) zoneOf(at time.Time) *time.Location {
	place := at.Location()
	k := offsetZone{name: place.String()}
	_, k.offset = at.Zone()
	if known := b.zones[k]; known != nil {
		return known
	}
	b.zones[k] = place
	return place
}

func amount(m *market.Money) (market.Money, bool) {
	if m == nil {
		return market.Money{}, false
	}
	return *m, true
}

// before is what is known of older versions, to be changed.
func (x *Execution) before() *older {
	if x.older == nil {
		x.older = new(older)
	}
	return x.older
}

// At is the market time of the execution, zero when the venue did not tell it.
func (x *Execution) At() time.Time {
	return time.Unix(x.seconds, int64(x.nanoseconds)).In(x.zone)
}

// Fill returns the execution as it was told, in its newest version. It is a copy.
func (x *Execution) Fill() order.Fill {
	f := order.Fill{
		ExecID: x.ExecID, Ref: x.Ref, OrderID: x.OrderID, PermID: x.PermID, ClientID: x.ClientID, Account: x.Account,
		Symbol: x.Symbol, ConID: x.conID, Side: x.Side, Qty: x.Qty, Price: x.Price, Exchange: x.exchange, At: x.At(), Currency: x.currency,
	}
	if x.charged {
		f.Commission = x.commission.Ptr()
	}
	if x.gained {
		f.RealizedPNL = x.pnl.Ptr()
	}
	if x.older != nil {
		f.Replaces = x.older.replaced
	}
	return f
}

// prices adds a commission, and reports whether that is news.
func (b *Books) prices(x *Execution, c broker.CommissionReport) bool {
	was := x.Fill()
	f := priced(was, c)
	if was.Commission != nil && *was.Commission == *f.Commission && Alike(was.RealizedPNL, f.RealizedPNL) {
		return false // told twice
	}
	b.cash.charged(was.Commission, *f.Commission)
	b.set(x, f)
	return true
}

// version returns the execution of which an id is a version, nil when none was told,
// and whether that very version was. It is told today then.
func (b *Books) version(id string) (x *Execution, known bool) {
	stem, version := order.ExecVersion(id)
	if version == 0 {
		x, known = b.plain.get(id)
		return x, known
	}
	if x, known = b.execs.get(stem); !known {
		return nil, false
	}
	return x, x.ExecID == id || x.older != nil && slices.Contains(x.older.ids, id)
}

// knows makes an execution one that was told.
func (b *Books) knows(x *Execution) {
	if stem, version := order.ExecVersion(x.ExecID); version > 0 {
		b.execs.put(stem, x)
	} else {
		b.plain.put(x.ExecID, x)
	}
}

// forgotten reports whether the ledgers have an execution no more.
func (b *Books) forgotten(x *Execution) bool {
	if stem, version := order.ExecVersion(x.ExecID); version > 0 {
		return !b.execs.has(stem)
	}
	return !b.plain.has(x.ExecID)
}

// overruled notes that a version of the execution was told and counts nowhere.
func (x *Execution) overruled(id string) {
	o := x.before()
	o.ids = append(o.ids, id)
}
