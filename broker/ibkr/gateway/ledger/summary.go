package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
)

// summary is a subscription to values of all accounts.
type summary struct {
	tags []string
	due  time.Time
	told map[string]*memory // by account
}

// accountSummary tells the values asked for, and what changes of them every
// three minutes. Tags are a comma list; $LEDGER stands for the ledger in the
// base currency, $LEDGER:USD for that in US dollars, $LEDGER:ALL for both. A
// tag that is not known is left out.
func (c *client) accountSummary(m wire.ReqAccountSummary) {
	const request = "reqAccountSummary"
	if m.Group != "All" {
		c.Fail(int64(m.ReqID), venue.Validation, invalid, request, "an adviser's group ("+m.Group+") is not simulated: ask for All")
		return
	}
	if n := strings.Count(m.Tags, ",") + 1; n > maxTags {
		c.Fail(int64(m.ReqID), venue.Validation, invalid, request, fmt.Sprintf("%d tags are more than there are, at most %d", n, maxTags))
		return
	}
	if !c.room(m.ReqID, request, len(c.summaries), maxSummaries) {
		return
	}
	s := &summary{due: c.v.At.Add(accountPeriod), told: map[string]*memory{}}
	for tag := range strings.SplitSeq(m.Tags, ",") {
		if tag = strings.TrimSpace(tag); tag != "" || m.Tags == "" { // a comma at the end asks for nothing
			s.tags = append(s.tags, tag)
		}
	}
	c.summaries[m.ReqID] = s
	c.l.wake(s.due)
	c.tellSummary(m.ReqID, s)
	c.Send(wire.AccountSummaryEnd{ReqID: m.ReqID})
}

func (c *client) tellSummary(id int, s *summary) {
	for _, account := range c.v.Accounts {
		told := s.told[account]
		if told == nil {
			told = new(memory)
			s.told[account] = told
		}
		for i, v := range c.l.values(account) {
			if s.wants(&v) && told.news(i, v.text) {
				c.Send(wire.AccountSummary{ReqID: id, Account: account, Tag: v.key, Value: v.text, Currency: v.currency})
			}
		}
	}
}

func (s *summary) wants(v *value) bool {
	return slices.ContainsFunc(s.tags, func(tag string) bool {
		if v.scope&inSummary != 0 && (tag == v.key || tag == "All" || tag == "") {
			return true
		}
		of, ledger := strings.CutPrefix(tag, "$LEDGER")
		if !ledger || v.scope&inLedger == 0 {
			return false
		}
		return of == "" && v.currency == base || of == ":ALL" || of == ":"+v.currency
	})
}
