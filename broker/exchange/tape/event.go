package tape

import (
	"time"

	"robotrader/broker/market"
)

// Kind tells what an [Event] carries.
type Kind uint8

// The kinds of event.
const (
	Quote  Kind = iota + 1 // Bid and Ask
	Trade                  // Price, Size, Exchange, Suspicious, Cross
	Halt                   // trading of the symbol stops; nothing else
	Resume                 // trading of the symbol goes on; nothing else
)

func (k Kind) String() string {
	switch k {
	case Quote:
		return "quote"
	case Trade:
		return "trade"
	case Halt:
		return "halt"
	case Resume:
		return "resume"
	}
	return "unknown"
}

// Level is one side of a quote. The zero Level is an unknown side.
type Level struct {
	Price market.Price
	Size  market.Qty
	Known bool
}

// Ptr returns price and size, nil when they are not known.
func (l Level) Ptr() (*market.Price, *market.Qty) {
	if !l.Known {
		return nil, nil
	}
	return &l.Price, &l.Size
}

// Event is one thing that happened in a market. It holds no pointer, so that a
// day of them costs no allocation each.
type Event struct {
	At     time.Time // market time
	Symbol market.Symbol
	Kind   Kind
	// Bid and Ask are the whole quote from now on: a side that is not known
	// is not there any more, whatever was said before.
	Bid, Ask Level
	// Price, Size and Exchange are those of a trade. A size of 0 is a print
	// that moves the last price and no volume. Exchange is the venue's letter
	// or name, empty when the source does not tell.
	Price    market.Price
	Size     market.Qty
	Exchange string
	// Suspicious marks a trade that counts in volume but moves neither last
	// nor high and low, such as one reported late or out of sequence.
	Suspicious bool
	// Cross marks the print of an auction. A market that knows no sessions has
	// none.
	Cross Cross
}

// Cross tells which auction made a trade.
type Cross uint8

// The auctions. An opening cross is the first trade of the regular session, at
// its first instant; a closing cross is the last one, 1 ms before its end.
const (
	NoCross Cross = iota
	OpeningCross
	ClosingCross
)
