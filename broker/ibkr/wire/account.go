package wire

import (
	"robotrader/broker/market"
)

// ReqAccountUpdates begins or ends the one subscription to an account's values
// and portfolio.
type ReqAccountUpdates struct {
	Subscribe bool
	Account   string // may be empty on a login with one account
}

// AccountValue is one named value of an account. The value stays text: some
// are no numbers.
type AccountValue struct{ Key, Value, Currency, Account string }

// PortfolioValue is one position of an account, with what the venue thinks of
// it. The venue computes the prices and amounts; they are rounded to what we
// hold, nil when not told.
type PortfolioValue struct {
	Contract                   Contract // without Exchange
	Position                   market.Qty
	MarketPrice                *market.Price
	MarketValue                *market.Money
	AverageCost                *market.Price
	UnrealizedPNL, RealizedPNL *market.Money
	Account                    string
}

// AcctUpdateTime tells when the account's values were last computed.
type AcctUpdateTime struct{ Clock string } // "HH:MM"

// AcctDownloadEnd tells that all of the account was told once. It may never
// come (ib_insync #303).
type AcctDownloadEnd struct{ Account string }

// ReqPositions asks for the positions of all accounts, and for their changes.
type ReqPositions struct{}

// CancelPositions ends a [ReqPositions].
type CancelPositions struct{}

// Position is one position of one account.
type Position struct {
	Account  string
	Contract Contract // without PrimaryExchange
	Position market.Qty
	AvgCost  *market.Price // computed by the venue, rounded to eight decimals; nil = not told
}

// PositionEnd tells that all positions were told once.
type PositionEnd struct{}

// ReqAccountSummary asks for values of accounts, refreshed every 3 minutes. A
// client may have two at a time.
type ReqAccountSummary struct {
	ReqID int
	Group string // "All"
	Tags  string // a comma list, or "$LEDGER"
}

// CancelAccountSummary ends a [ReqAccountSummary].
type CancelAccountSummary struct{ ReqID int }

// AccountSummary is one value of one account.
type AccountSummary struct {
	ReqID                         int
	Account, Tag, Value, Currency string
}

// AccountSummaryEnd tells that all values were told once.
type AccountSummaryEnd struct{ ReqID int }

// ID implements [Message].
func (ReqAccountUpdates) ID() int { return IDReqAccountUpdates }

// Append implements [Message].
func (m ReqAccountUpdates) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "reqAccountUpdates", IDReqAccountUpdates)
	w.int(2)
	w.bool(m.Subscribe)
	w.str("acctCode", m.Account)
	return w.finish()
}

func (m *ReqAccountUpdates) read(r *reader) {
	r.skip("version")
	m.Subscribe = r.bool("subscribe")
	m.Account = r.str("acctCode")
}

// ID implements [Message].
func (AccountValue) ID() int { return IDAccountValue }

// Append implements [Message].
func (m AccountValue) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "accountValue", IDAccountValue)
	w.int(2)
	w.str("key", m.Key)
	w.text("value", m.Value)
	w.str("currency", m.Currency)
	w.str("accountName", m.Account)
	return w.finish()
}

func (m *AccountValue) read(r *reader) {
	r.skip("version")
	m.Key = r.str("key")
	m.Value = r.text("value")
	m.Currency = r.str("currency")
	m.Account = r.str("accountName")
}

// ID implements [Message].
func (PortfolioValue) ID() int { return IDPortfolioValue }

// Append implements [Message].
func (m PortfolioValue) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "portfolioValue", IDPortfolioValue)
	w.int(8)
	c := m.Contract
	c.Exchange = c.PrimaryExchange // this message has the primary exchange in its place
	w.contract11(c)
	w.qty(m.Position)
	w.optPrice(m.MarketPrice)
	w.optMoney(m.MarketValue)
	w.optPrice(m.AverageCost)
	w.optMoney(m.UnrealizedPNL)
	w.optMoney(m.RealizedPNL)
	w.str("accountName", m.Account)
	return w.finish()
}

func (m *PortfolioValue) read(r *reader) {
	r.skip("version")
	m.Contract = r.contract11()
	m.Contract.PrimaryExchange, m.Contract.Exchange = m.Contract.Exchange, ""
	m.Position = r.qty("position")
	m.MarketPrice = r.optPrice("marketPrice")
	m.MarketValue = r.nearMoney("marketValue")
	m.AverageCost = r.optPrice("averageCost")
	m.UnrealizedPNL = r.nearMoney("unrealizedPNL")
	m.RealizedPNL = r.nearMoney("realizedPNL")
	m.Account = r.str("accountName")
}

// ID implements [Message].
func (AcctUpdateTime) ID() int { return IDAcctUpdateTime }

// Append implements [Message].
func (m AcctUpdateTime) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "acctUpdateTime", IDAcctUpdateTime)
	w.int(1)
	w.str("timeStamp", m.Clock)
	return w.finish()
}

func (m *AcctUpdateTime) read(r *reader) {
	r.skip("version")
	m.Clock = r.str("timeStamp")
}

// ID implements [Message].
func (AcctDownloadEnd) ID() int { return IDAcctDownloadEnd }

// Append implements [Message].
func (m AcctDownloadEnd) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "acctDownloadEnd", IDAcctDownloadEnd)
	w.int(1)
	w.str("accountName", m.Account)
	return w.finish()
}

func (m *AcctDownloadEnd) read(r *reader) {
	r.skip("version")
	m.Account = r.str("accountName")
}

// ID implements [Message].
func (ReqPositions) ID() int { return IDReqPositions }

// Append implements [Message].
func (ReqPositions) Append(dst []byte, v Version) ([]byte, error) {
	return plainRequest(dst, v, "reqPositions", IDReqPositions)
}

func (*ReqPositions) read(r *reader) { r.skip("version") }

// ID implements [Message].
func (CancelPositions) ID() int { return IDCancelPositions }

// Append implements [Message].
func (CancelPositions) Append(dst []byte, v Version) ([]byte, error) {
	return plainRequest(dst, v, "cancelPositions", IDCancelPositions)
}

func (*CancelPositions) read(r *reader) { r.skip("version") }

// ID implements [Message].
func (Position) ID() int { return IDPosition }

// Append implements [Message].
func (m Position) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "position", IDPosition)
	w.int(3)
	w.str("account", m.Account)
	w.contract11(m.Contract)
	w.qty(m.Position)
	w.optPrice(m.AvgCost)
	return w.finish()
}

func (m *Position) read(r *reader) {
	r.skip("version")
	m.Account = r.str("account")
	m.Contract = r.contract11()
	m.Position = r.qty("position")
	m.AvgCost = r.optPrice("avgCost")
}

// ID implements [Message].
func (PositionEnd) ID() int { return IDPositionEnd }

// Append implements [Message].
func (PositionEnd) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "positionEnd", IDPositionEnd)
	w.int(1)
	return w.finish()
}

func (*PositionEnd) read(r *reader) { r.skip("version") }

// ID implements [Message].
func (ReqAccountSummary) ID() int { return IDReqAccountSummary }

// Append implements [Message].
func (m ReqAccountSummary) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "reqAccountSummary", IDReqAccountSummary)
	w.int(1)
	w.int(m.ReqID)
	w.str("group", m.Group)
	w.str("tags", m.Tags)
	return w.finish()
}

func (m *ReqAccountSummary) read(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
	m.Group = r.str("group")
	m.Tags = r.str("tags")
}

// ID implements [Message].
func (CancelAccountSummary) ID() int { return IDCancelAccountSummary }

// Append implements [Message].
func (m CancelAccountSummary) Append(dst []byte, v Version) ([]byte, error) {
	return requestOf(dst, v, "cancelAccountSummary", IDCancelAccountSummary, 1, m.ReqID)
}

func (m *CancelAccountSummary) read(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
}

// ID implements [Message].
func (AccountSummary) ID() int { return IDAccountSummary }

// Append implements [Message].
func (m AccountSummary) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "accountSummary", IDAccountSummary)
	w.int(1)
	w.int(m.ReqID)
	w.str("account", m.Account)
	w.str("tag", m.Tag)
	w.text("value", m.Value)
	w.str("currency", m.Currency)
	return w.finish()
}

func (m *AccountSummary) read(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
	m.Account = r.str("account")
	m.Tag = r.str("tag")
	m.Value = r.text("value")
	m.Currency = r.str("currency")
}

// ID implements [Message].
func (AccountSummaryEnd) ID() int { return IDAccountSummaryEnd }

// Append implements [Message].
func (m AccountSummaryEnd) Append(dst []byte, v Version) ([]byte, error) {
	return answerOf(dst, v, "accountSummaryEnd", IDAccountSummaryEnd, m.ReqID)
}

func (m *AccountSummaryEnd) read(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
}
