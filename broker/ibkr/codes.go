package ibkr

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"robotrader/broker"
	"robotrader/broker/order"
)

// codeTable tells what the venue's codes mean. It is not changed once made.
type codeTable map[int]code

// code is one row of the venue's codes.
type code struct {
	kind    broker.NoticeKind
	ends    bool   // the request with this id gets no further answer
	meaning string // our wording of the venue's
	source  string // section of the protocol sheet
}

// codes tells what each code of an error message means. What is not here is a
// warning: an unknown code once made a client drop fifteen orders, all of
// which then filled.
var codes = codeTable{
	100: {broker.NoticePacing, false, "more than 50 messages in a second", "8"},
	101: {broker.NoticeRequest, true, "limit of market-data lines reached", "8"},
	102: {broker.NoticeRequest, true, "duplicate ticker id", "8"},
	103: {broker.NoticeReject, true, "order id was used before", "8"},
	104: {broker.NoticeWarning, false, "a filled order cannot be modified", "8"},
	105: {broker.NoticeWarning, false, "modification does not match the order", "8"},
	110: {broker.NoticeReject, true, "price is off the tick grid", "8"},
	135: {broker.NoticeNoCancel, false, "no order with this id to cancel", "8"},
	136: {broker.NoticeNoCancel, false, "order cannot be cancelled", "8"},
	161: {broker.NoticeNoCancel, false, "order is not in a state that can be cancelled", "8"},
	162: {broker.NoticeRequest, true, "historical data: pacing, no data or cancelled; the text tells", "8"},
	165: {broker.NoticeInfo, false, "historical data: news of a query", "8"},
	200: {broker.NoticeRequest, true, "no contract fits, or several do", "8"},
	201: {broker.NoticeReject, true, "order rejected", "8"},
	202: {broker.NoticeCancelled, false, "order cancelled; its status is authoritative", "8"},
	300: {broker.NoticeInfo, false, "no such ticker id to cancel", "8"},
	310: {broker.NoticeInfo, false, "no such depth id to cancel", "8"},
	316: {broker.NoticeWarning, false, "market depth halted", "8"},
	317: {broker.NoticeWarning, false, "market depth reset", "8"},
	320: {broker.NoticeRequest, true, "gateway could not read the request", "8"},
	321: {broker.NoticeRequest, true, "gateway refused the request: read-only API, or a missing account", "8"},
	322: {broker.NoticeRequest, true, "gateway could not process the request", "8"},
	326: {broker.NoticeSession, false, "client id is in use", "1.6, 8"},
	327: {broker.NoticeWarning, false, "binding orders needs client id 0", "8"},
	354: {broker.NoticeDataDown, true, "market data is not subscribed", "8"},
	366: {broker.NoticeInfo, false, "no such historical query to cancel", "8"},
	399: {broker.NoticeWarning, false, "order message", "8"},
	404: {broker.NoticeWarning, false, "shares to borrow are being located; the order is held", "8"},
	434: {broker.NoticeReject, true, "order size is 0", "8"},
	460: {broker.NoticeReject, true, "no trading permission", "8"},
	461: {broker.NoticeReject, true, "no trading permission", "8"},
	492: {broker.NoticeInfo, false, "no scanner permission", "8"},

	// Clients make these up by themselves. A gateway that says one all the same
	// has lost the thread, and closes.
	501: {broker.NoticeWarning, false, "already connected", "8"},
	502: {broker.NoticeSession, false, "no connection", "8"},
	503: {broker.NoticeSession, false, "the gateway is too old", "8"},
	504: {broker.NoticeWarning, false, "not connected", "8"},
	505: {broker.NoticeSession, false, "unknown message id", "8"},
	506: {broker.NoticeSession, false, "unsupported version", "8"},
	507: {broker.NoticeSession, false, "bad length of a message", "8"},
	508: {broker.NoticeSession, false, "bad message", "8"},
	579: {broker.NoticeWarning, false, "character that cannot be sent", "8"},

	1100: {broker.NoticeLinkDown, false, "the gateway lost the venue", "8"},
	1101: {broker.NoticeDataLost, false, "the gateway is back, subscriptions are lost", "8"},
	1102: {broker.NoticeLinkUp, false, "the gateway is back, subscriptions are kept", "8"},
	1300: {broker.NoticeSession, false, "the gateway's API port changed, this connection ends", "8"},

	2100: {broker.NoticeWarning, false, "account updates were replaced by another subscription", "8"},
	2101: {broker.NoticeWarning, false, "account updates refused: one subscription at a time", "8"},
	2102: {broker.NoticeWarning, false, "order is still being processed, it cannot be modified yet", "8"},
	2103: {broker.NoticeDataDown, false, "a market-data farm is broken", "8"},
	2104: {broker.NoticeDataUp, false, "a market-data farm is well", "8"},
	2105: {broker.NoticeWarning, false, "a historical-data farm is broken", "8"},
	2106: {broker.NoticeInfo, false, "a historical-data farm is well", "8"},
	2107: {broker.NoticeInfo, false, "a historical-data farm sleeps until asked", "8"},
	2108: {broker.NoticeInfo, false, "a market-data farm sleeps until asked", "8"},
	2109: {broker.NoticeInfo, false, "outside-hours attribute ignored", "8"},
	2110: {broker.NoticeLinkDown, false, "the gateway lost the venue, and restores by itself", "8"},
	2119: {broker.NoticeInfo, false, "a market-data farm is connecting", "8"},
	2137: {broker.NoticeWarning, false, "order crosses the position's side", "8"},
	2157: {broker.NoticeWarning, false, "the contract-data farm is broken", "8"},
	2158: {broker.NoticeInfo, false, "the contract-data farm is well", "8"},
	2168: {broker.NoticeWarning, false, "attribute eTradeOnly ignored", "8"},
	2169: {broker.NoticeWarning, false, "attribute firmQuoteOnly ignored", "8"},

	10089: {broker.NoticeWarning, false, "partly not subscribed: delayed or partial data follows", "8"},
	10090: {broker.NoticeWarning, false, "partly not subscribed: delayed or partial data follows", "8"},
	10091: {broker.NoticeWarning, false, "partly not subscribed: delayed or partial data follows", "8"},
	10147: {broker.NoticeNoCancel, false, "no order with this id to cancel", "8"},
	10148: {broker.NoticeNoCancel, false, "order cannot be cancelled in its state", "8"},
	10149: {broker.NoticeNoCancel, false, "order cannot be cancelled", "8"},
	10167: {broker.NoticeWarning, false, "not subscribed: delayed data follows", "8"},
	10168: {broker.NoticeDataDown, true, "market data is not subscribed, and delayed data is not enabled", "8"},
	10182: {broker.NoticeDataDown, true, "the data stream was disconnected", "8"},
	10186: {broker.NoticeDataDown, true, "market data is not subscribed, and delayed data is not enabled", "8"},
	10197: {broker.NoticeCompeting, false, "no data: another session of this user takes it", "8"},
	10225: {broker.NoticeDataDown, true, "bust event, real-time bars stopped", "8"},
	10233: {broker.NoticeInfo, false, "a default of the account was applied", "8"},
	10349: {broker.NoticeInfo, false, "a preset of the account was applied", "8"},
}

// lookup returns the row of a code. One that we do not know is a warning that
// ends the request it names, unless it is in the range of the venue's system
// notices; section 8, last paragraph.
func (t codeTable) lookup(n int) code {
	if c, ok := t[n]; ok {
		return c
	}
	return code{broker.NoticeWarning, n < 2100 || n > 2199, "code that is not in our table", "8"}
}

// codeWords are the kinds that a configuration may give to a code: those that
// do not need more than the code to be true.
var codeWords = []broker.NoticeKind{
	broker.NoticeInfo, broker.NoticeWarning, broker.NoticeRequest, broker.NoticeReject, broker.NoticeCancelled,
	broker.NoticeNoCancel, broker.NoticeDataDown, broker.NoticeDataUp, broker.NoticeDataLost, broker.NoticeLinkDown,
	broker.NoticeLinkUp, broker.NoticePacing, broker.NoticeSession, broker.NoticeCompeting,
}

// maxCode bounds the codes that a configuration may name.
const maxCode = 99999

// with returns the table with a configuration's rows in it, and all that is
// wrong with those. A row of kind request or reject ends the request it names;
// no other does, but one that says what the table says.
func (t codeTable) with(rows map[string]string) (codeTable, error) {
	if len(rows) == 0 {
		return t, nil
	}
	t = maps.Clone(t)
	var errs []error
	for _, number := range slices.Sorted(maps.Keys(rows)) {
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n < 1 || n > maxCode {
			errs = append(errs, fmt.Errorf("ibkr: codes: %.40q is not a code between 1 and %d, such as \"10349\"", number, maxCode))
			continue
		}
		i := slices.IndexFunc(codeWords, func(k broker.NoticeKind) bool { return k.String() == rows[number] })
		if i < 0 {
			errs = append(errs, fmt.Errorf("ibkr: codes: %d: %.40q is none of %v", n, rows[number], codeWords))
			continue
		}
		kind, before := codeWords[i], t.lookup(int(n))
		_, known := t[int(n)]
		ends := kind == broker.NoticeRequest || kind == broker.NoticeReject || known && kind == before.kind && before.ends
		t[int(n)] = code{kind, ends, before.meaning, "configuration"}
	}
	return t, errors.Join(errs...)
}

// about tells what a code is about when its id is that of an order. A request
// that was refused is the order's own placing, or its cancel when one was
// written: then the order stands. A code that we do not know ends nothing.
func (c code) about(cancelled bool) broker.NoticeKind {
	switch {
	case c.kind == broker.NoticeRequest && cancelled:
		return broker.NoticeNoCancel
	case c.kind == broker.NoticeRequest:
		return broker.NoticeReject
	}
	return c.kind
}

// ownCancel tells the echo of our own cancelHistoricalData from a failure.
func ownCancel(n int, text string) bool {
	return n == 162 && strings.Contains(strings.ToLower(text), "query cancel")
}

// statuses maps the venue's order status words. Status is a hint, executions
// are the truth about what was filled. Section 4.6.
var statuses = map[string]order.Signal{
	"ApiPending":    order.Acked,
	"PendingSubmit": order.Acked,
	"PreSubmitted":  order.Acked,
	"Submitted":     order.WorkingNow,
	"PendingCancel": order.CancelSent,
	"ApiCancelled":  order.CancelDone,
	"Cancelled":     order.CancelDone,
	"Filled":        order.FilledUp,
	"Inactive":      order.HeldBack,
}
