package market

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrBadSymbol means that a text cannot be a ticker symbol.
var ErrBadSymbol = errors.New("not a symbol")

// Symbol is a ticker symbol such as "AAPL", in the venue's spelling.
type Symbol string

// ParseSymbol accepts 1 to 12 characters of A-Z, 0-9, blank, dot and dash that
// begin with a letter, and makes small letters capital: what US venues use,
// and nothing that could act in a bus subject, a path or a query.
func ParseSymbol(s string) (Symbol, error) {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
			b[i] = c
		}
		letter := c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != ' ' && c != '.' && c != '-') {
			return "", fmt.Errorf("market: symbol %.40q: %w", s, ErrBadSymbol)
		}
	}
	if len(b) == 0 || len(b) > 12 || b[len(b)-1] == ' ' {
		return "", fmt.Errorf("market: symbol %.40q: %w", s, ErrBadSymbol)
	}
	return Symbol(b), nil
}

// otherMark is in no ticker symbol.
const otherMark = "#"

// Other names the contract with a number that has the ticker s, too, and is not
// the one that is traded under it, such as a listing at another exchange or an
// option: AAPL#38708077.
// It is shown as such, and [ParseSymbol] does not take it, so that nobody can
// order it.
func (s Symbol) Other(conID int64) Symbol {
	return s + otherMark + Symbol(strconv.FormatInt(conID, 10))
}

// Spelled makes of a venue's text what may stand before the mark of a name that
// Other makes: at most 12 characters that a ticker may have, the rest left out.
func Spelled(s string) Symbol {
	kept := strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == ' ' {
			return r
		}
		return -1
	}, strings.ToUpper(s))
	return Symbol(kept[:min(len(kept), 12)])
}

// IsOther reports whether it is a name that Other made.
func (s Symbol) IsOther() bool { return s.Ticker() != s }

// Ticker returns the ticker of a name that Other made, and any other symbol as
// it is.
func (s Symbol) Ticker() Symbol {
	t, _, _ := strings.Cut(string(s), otherMark)
	return Symbol(t)
}

// Contract identifies what is traded. With ConID the rest is for people.
type Contract struct {
	ConID           int64  `json:"con_id,omitempty"` // IBKR's contract id, 0 = not known yet
	Symbol          Symbol `json:"symbol"`
	SecType         string `json:"sec_type"` // "STK"
	Exchange        string `json:"exchange"` // routing, "SMART"
	PrimaryExchange string `json:"primary_exchange,omitempty"`
	Currency        string `json:"currency"`
	LocalSymbol     string `json:"local_symbol,omitempty"`
	TradingClass    string `json:"trading_class,omitempty"`
}

// USStock returns the contract that a bare US ticker means: a stock, routed by
// SMART, in US dollars.
func USStock(s Symbol) Contract {
	return Contract{Symbol: s, SecType: "STK", Exchange: "SMART", Currency: "USD"}
}

// Details is what a venue tells about a contract.
type Details struct {
	Contract Contract `json:"contract"`
	LongName string   `json:"long_name"`
	MinTick  Price    `json:"min_tick"`  // the price grid, 0 = not told
	SizeStep Qty      `json:"size_step"` // the quantity grid, 0 = not told
	Trading  Hours    `json:"trading"`   // includes the extended hours
	Liquid   Hours    `json:"liquid"`    // the regular session
}
