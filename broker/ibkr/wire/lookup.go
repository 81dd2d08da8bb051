package wire

import "robotrader/broker/market"

// ReqMarketRule asks for the price increments behind an id of
// [ContractData.MarketRuleIDs]. Its layout and that of its answer are from
// general knowledge, no recorded frame.
type ReqMarketRule struct{ RuleID int }

// MarketRule answers a [ReqMarketRule].
type MarketRule struct {
	RuleID     int
	Increments []PriceIncrement
}

// PriceIncrement is the price step from a price on.
type PriceIncrement struct{ LowEdge, Increment market.Price }

// ReqMatchingSymbols searches contracts by the beginning of their symbol or by
// words of their name. The layouts of request and answer are from general
// knowledge, no recorded frame.
type ReqMatchingSymbols struct {
	ReqID   int
	Pattern string
}

// SymbolSamples answers a [ReqMatchingSymbols].
type SymbolSamples struct {
	ReqID   int
	Samples []SymbolSample
}

// SymbolSample is one contract found.
type SymbolSample struct {
	ConID           int64
	Symbol          string
	SecType         string
	PrimaryExchange string
	Currency        string
	Derivatives     []string // security types, such as "OPT"
	Description     string   // the company's name
	IssuerID        string   // of a bond
}

// ReqSecDefOptParams asks which options an underlying has. The layouts of
// request and answer are from general knowledge, no recorded frame.
type ReqSecDefOptParams struct {
	ReqID           int
	Underlying      string
	FutFopExchange  string // "" except for options on futures
	UnderlyingType  string
	UnderlyingConID int64
}

// SecDefOptParams is one exchange's and trading class's part of the answer to
// a [ReqSecDefOptParams].
type SecDefOptParams struct {
	ReqID           int
	Exchange        string
	UnderlyingConID int64
	TradingClass    string
	Multiplier      string
	Expirations     []string // "20260417"
	Strikes         []market.Price
}

// SecDefOptParamsEnd ends the answers to a [ReqSecDefOptParams].
type SecDefOptParamsEnd struct{ ReqID int }

// ReqSmartComponents asks what the letters of a [TickReqParams.BBOExchange]
// stand for. The layouts of request and answer are from general knowledge, no
// recorded frame.
type ReqSmartComponents struct {
	ReqID       int
	BBOExchange string
}

// SmartComponents answers a [ReqSmartComponents].
type SmartComponents struct {
	ReqID      int
	Components []SmartComponent
}

// SmartComponent is one exchange behind SMART.
type SmartComponent struct {
	Bit      int // its number in a mask
	Exchange string
	Letter   string
}

// ID implements [Message].
func (ReqMarketRule) ID() int { return IDReqMarketRule }

// Append implements [Message].
func (m ReqMarketRule) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqMarketRule", m.ID(), m.walk)
}

func (m *ReqMarketRule) walk(w *walk) { w.int("marketRuleId", &m.RuleID) }

// ID implements [Message].
func (MarketRule) ID() int { return IDMarketRule }

// Append implements [Message].
func (m MarketRule) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "marketRule", m.ID(), m.walk)
}

func (m *MarketRule) walk(w *walk) {
	w.int("marketRuleId", &m.RuleID)
	list(w, "priceIncrements", &m.Increments, 2, func(p *PriceIncrement, w *walk) {
		w.mustPrice("lowEdge", &p.LowEdge)
		w.mustPrice("increment", &p.Increment)
	})
}

// ID implements [Message].
func (ReqMatchingSymbols) ID() int { return IDReqMatchingSymbols }

// Append implements [Message].
func (m ReqMatchingSymbols) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqMatchingSymbols", m.ID(), m.walk)
}

func (m *ReqMatchingSymbols) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.str("pattern", &m.Pattern)
}

// ID implements [Message].
func (SymbolSamples) ID() int { return IDSymbolSamples }

// Append implements [Message].
func (m SymbolSamples) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "symbolSamples", m.ID(), m.walk)
}

func (m *SymbolSamples) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	list(w, "samples", &m.Samples, 8, (*SymbolSample).walk)
}

func (s *SymbolSample) walk(w *walk) {
	w.int64("conId", &s.ConID)
	w.str("symbol", &s.Symbol)
	w.str("secType", &s.SecType)
	w.str("primaryExchange", &s.PrimaryExchange)
	w.str("currency", &s.Currency)
	list(w, "derivativeSecTypes", &s.Derivatives, 1, func(d *string, w *walk) { w.str("derivativeSecType", d) })
	w.text("description", &s.Description) // since version 176, the least that we speak
	w.str("issuerId", &s.IssuerID)
}

// ID implements [Message].
func (ReqSecDefOptParams) ID() int { return IDReqSecDefOptParams }

// Append implements [Message].
func (m ReqSecDefOptParams) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqSecDefOptParams", m.ID(), m.walk)
}

func (m *ReqSecDefOptParams) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.str("underlyingSymbol", &m.Underlying)
	w.str("futFopExchange", &m.FutFopExchange)
	w.str("underlyingSecType", &m.UnderlyingType)
	w.int64("underlyingConId", &m.UnderlyingConID)
}

// ID implements [Message].
func (SecDefOptParams) ID() int { return IDSecDefOptParams }

// Append implements [Message].
func (m SecDefOptParams) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "securityDefinitionOptionParameter", m.ID(), m.walk)
}

func (m *SecDefOptParams) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.str("exchange", &m.Exchange)
	w.int64("underlyingConId", &m.UnderlyingConID)
	w.str("tradingClass", &m.TradingClass)
	w.str("multiplier", &m.Multiplier)
	list(w, "expirations", &m.Expirations, 1, func(e *string, w *walk) { w.str("expiration", e) })
	list(w, "strikes", &m.Strikes, 1, func(p *market.Price, w *walk) { w.mustPrice("strike", p) })
}

// ID implements [Message].
func (SecDefOptParamsEnd) ID() int { return IDSecDefOptParamsEnd }

// Append implements [Message].
func (m SecDefOptParamsEnd) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "securityDefinitionOptionParameterEnd", m.ID(), m.walk)
}

func (m *SecDefOptParamsEnd) walk(w *walk) { w.int("reqId", &m.ReqID) }

// ID implements [Message].
func (ReqSmartComponents) ID() int { return IDReqSmartComponents }

// Append implements [Message].
func (m ReqSmartComponents) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqSmartComponents", m.ID(), m.walk)
}

func (m *ReqSmartComponents) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.str("bboExchange", &m.BBOExchange)
}

// ID implements [Message].
func (SmartComponents) ID() int { return IDSmartComponents }

// Append implements [Message].
func (m SmartComponents) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "smartComponents", m.ID(), m.walk)
}

func (m *SmartComponents) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	list(w, "components", &m.Components, 3, func(c *SmartComponent, w *walk) {
		w.int("bitNumber", &c.Bit)
		w.str("exchange", &c.Exchange)
		w.str("exchangeLetter", &c.Letter)
	})
}
