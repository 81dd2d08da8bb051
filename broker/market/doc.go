// Package market holds the words for what is traded and at what price: Symbol
// and Contract, the exact numbers Price, Qty and Money, Quote, Trade and Bar,
// and trading sessions.
//
// It promises that a number it holds is the number that was read: parsing
// refuses what it cannot hold and never rounds, clamps or defaults. It does not
// promise that a price is sensible; the risk gate judges that.
//
// # Design
//
// Price and Qty are fixed point with eight decimals in 64 bits, Money is fixed
// point with sixteen decimals in 128 bits, so Price × Qty → Money is exact and
// cannot overflow. The representation is unexported: it can change without a
// reader noticing. Unknown is not zero: a number that may be missing is a
// pointer, and nil means unknown.
package market
