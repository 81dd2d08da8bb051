package event

import (
	"fmt"
	"strings"
	"time"

	"robotrader/broker/order"
)

// namesLeft bounds how many positions are named in words; the rest is counted.
const namesLeft = 5

// FlatWords says since when an account is flat, or flat in stocks and what else
// it holds; "not flat" when the broker did not show it.
func (c ModeChange) FlatWords() string {
	switch {
	case c.Flat == nil:
		return "not flat"
	case len(c.Left) == 0:
		return "flat since " + c.Flat.UTC().Format(time.RFC3339)
	default:
		return "flat in stocks since " + c.Flat.UTC().Format(time.RFC3339) + "; " + LeftWords(c.Left)
	}
}

// LeftWords names the positions that a flatten leaves, "" when it leaves none.
func LeftWords(left []order.Position) string {
	if len(left) == 0 {
		return ""
	}
	words := make([]string, 0, namesLeft+1)
	for _, p := range left[:min(len(left), namesLeft)] {
		kind := p.SecType
		if kind == "" {
			kind = "another contract"
		}
		words = append(words, fmt.Sprintf("%v %s (%s)", p.Qty, p.Symbol, kind))
	}
	if more := len(left) - namesLeft; more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	noun := "positions"
	if len(left) == 1 {
		noun = "position"
	}
	return fmt.Sprintf("%d other %s left: %s", len(left), noun, strings.Join(words, ", "))
}
