package order

import (
	"strings"

	"robotrader/broker/market"
)

// Words has each of the words once that come again with every order, such as an
// account, a symbol or an exchange: whoever keeps many orders or executions, each
// decoded from a message of its own, would have them a thousand times. It is
// bounded; beyond, words stay as they come. The zero value is ready. It is not
// safe for concurrent use.
type Words struct{ known map[string]string }

// Bounds of Words: many times what accounts, symbols and exchanges there are.
const (
	mostWords   = 4096
	longestWord = 40 // bytes
)

// one returns the one copy of a word.
func one[T ~string](w *Words, word *T) {
	if known, ok := w.known[string(*word)]; ok {
		*word = T(known)
		return
	}
	if len(*word) == 0 || len(*word) > longestWord || len(w.known) >= mostWords {
		return
	}
	if w.known == nil {
		w.known = map[string]string{}
	}
	s := strings.Clone(string(*word)) // it may be a part of a message
	w.known[s] = s
	*word = T(s)
}

// Order puts the copies into an order.
func (w *Words) Order(o *Order) {
	one(w, &o.Account)
	one(w, &o.Strategy)
	one[market.Symbol](w, &o.Symbol)
	one(w, &o.Side)
	one(w, &o.Type)
	one(w, &o.TIF)
}

// Fill puts them into an execution.
func (w *Words) Fill(f *Fill) {
	one(w, &f.Account)
	one[market.Symbol](w, &f.Symbol)
	one(w, &f.Side)
	one(w, &f.Exchange)
	one(w, &f.Currency)
}
