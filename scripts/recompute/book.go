package main

import "math/big"

// book is the account as the executions make it.
type book struct {
	starting   *big.Rat
	cash       *big.Rat
	commission *big.Rat
	count      int
	holdings   map[string]*holding
}

// holding is one symbol's part. The cost has the quantity's sign.
type holding struct {
	qty, cost, realised, commission *big.Rat
	executions, roundTrips          int
}

func newBook(cash *big.Rat) *book {
	return &book{starting: cash, cash: new(big.Rat).Set(cash), commission: new(big.Rat), holdings: map[string]*holding{}}
}

func (b *book) add(x execution) {
	h := b.holdings[x.symbol]
	if h == nil {
		h = &holding{qty: new(big.Rat), cost: new(big.Rat), realised: new(big.Rat), commission: new(big.Rat)}
		b.holdings[x.symbol] = h
	}
	b.count++
	h.executions++
	b.cash.Sub(b.cash, mul(x.price, x.change))
	b.cash.Sub(b.cash, x.commission)
	b.commission.Add(b.commission, x.commission)
	h.commission.Add(h.commission, x.commission)

	rest := new(big.Rat).Set(x.change)
	if h.qty.Sign()*rest.Sign() < 0 {
		h.close(rest, x.price)
	}
	h.qty.Add(h.qty, rest)
	h.cost.Add(h.cost, mul(x.price, rest))
}

// close ends as much of the position as change can, and takes that out of
// change.
func (h *holding) close(change, price *big.Rat) {
	closed := new(big.Rat).Neg(change) // in the position's direction
	if abs(closed).Cmp(abs(h.qty)) >= 0 {
		closed.Set(h.qty)
		h.roundTrips++
	}
	part := mul(h.cost, new(big.Rat).Quo(closed, h.qty))
	h.realised.Add(h.realised, mul(price, closed))
	h.realised.Sub(h.realised, part)
	h.qty.Sub(h.qty, closed)
	h.cost.Sub(h.cost, part)
	change.Add(change, closed)
}

func mul(a, b *big.Rat) *big.Rat { return new(big.Rat).Mul(a, b) }

func abs(n *big.Rat) *big.Rat { return new(big.Rat).Abs(n) }

// report is what is printed.
type report struct {
	Executions   int    `json:"executions"`
	StartingCash string `json:"starting_cash"`
	Cash         string `json:"cash"`
	Commission   string `json:"commission"`
	// RealizedPNL is before commission.
	RealizedPNL string   `json:"realized_pnl"`
	RoundTrips  int      `json:"round_trips"`
	Symbols     []symbol `json:"symbols"` // of the executions, flat ones included
	Rounded     bool     `json:"rounded"` // a figure has no end as a decimal
}

type symbol struct {
	Symbol      string `json:"symbol"`
	Executions  int    `json:"executions"`
	Qty         string `json:"qty"`  // negative is short
	Cost        string `json:"cost"` // of what is held, without commission; the quantity's sign
	RealizedPNL string `json:"realized_pnl"`
	Commission  string `json:"commission"`
	RoundTrips  int    `json:"round_trips"`
}

func (b *book) report() report {
	r := report{Executions: b.count, Symbols: []symbol{}}
	tell := func(n *big.Rat) string {
		s, rounded := text(n)
		r.Rounded = r.Rounded || rounded
		return s
	}
	r.StartingCash, r.Cash, r.Commission = tell(b.starting), tell(b.cash), tell(b.commission)
	realised := new(big.Rat)
	for _, name := range symbols(b.holdings) {
		h := b.holdings[name]
		realised.Add(realised, h.realised)
		r.RoundTrips += h.roundTrips
		r.Symbols = append(r.Symbols, symbol{
			Symbol: name, Executions: h.executions, Qty: tell(h.qty), Cost: tell(h.cost),
			RealizedPNL: tell(h.realised), Commission: tell(h.commission), RoundTrips: h.roundTrips,
		})
	}
	r.RealizedPNL = tell(realised)
	return r
}
