package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"robotrader/services/event"
)

// claim is the bridge's word that it answers for an instance or an account.
type claim struct {
	bridge  *Bridge
	subject string
	sub     *nats.Subscription // that answers other contenders; nil before the first try

	mu   sync.Mutex // guards self
	self event.Holder
}

func newClaim(b *Bridge, self event.Holder) *claim {
	return &claim{bridge: b, subject: event.ClaimOf(self.Instance, self.Account), self: self}
}

// claim makes or renews the claims, and returns who goes before.
func (b *Bridge) claim(ctx context.Context) (*event.Holder, error) {
	if len(b.claims) == 0 {
		return nil, nil
	}
	account := b.accountNow()
	if c := b.claims[1]; c != nil && c.self.Account != account {
		c.end()
		b.claims[1] = nil
	}
	if b.claims[1] == nil && account != "" {
		self := b.claims[0].now()
		self.Account, self.Held, self.Since = account, false, time.Now()
		b.claims[1] = newClaim(b, self)
	}
	for _, c := range b.claims {
		if c == nil {
			continue
		}
		other, err := c.contend(ctx)
		if other != nil {
			for _, mine := range b.claims {
				mine.yield() // who is silent holds nothing that another could use
			}
		}
		if other != nil || err != nil {
			return other, err
		}
	}
	return nil, nil
}

// now returns what the claim says of itself.
func (c *claim) now() event.Holder {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.self
}

// yield goes to the end of the line.
func (c *claim) yield() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.self.Held, c.self.Since = false, time.Now()
}

// contend asks who else claims the same, and returns who goes before. Without
// one the claim is held.
func (c *claim) contend(ctx context.Context) (*event.Holder, error) {
	nc := c.bridge.sub
	if c.sub == nil {
		s, err := nc.Subscribe(c.subject, c.answer)
		if err != nil {
			return nil, fmt.Errorf("claim %s: %w", c.subject, err)
		}
		c.sub = s
	}
	inbox := nc.NewRespInbox()
	answers, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("claim %s: %w", c.subject, err)
	}
	defer func() { _ = answers.Unsubscribe() }() // fails only with the connection
	self := c.now()
	raw, err := encode(c.bridge.parts.Conn.Name(), self)
	if err != nil {
		return nil, err
	}
	if err := nc.PublishRequest(c.subject, inbox, raw); err != nil {
		return nil, fmt.Errorf("claim %s: %w", c.subject, err)
	}
	ctx, cancel := context.WithTimeout(ctx, claimWait)
	defer cancel()
	for {
		m, err := answers.NextMsgWithContext(ctx)
		if err != nil {
			break // nobody else spoke up in time
		}
		var a event.Message[event.Holder]
		if json.Unmarshal(m.Data, &a) != nil || a.Data.ID == "" || a.Data.ID == self.ID {
			continue
		}
		if a.Data.Before(self) {
			return &a.Data, nil
		}
	}
	if !nc.IsConnected() { // silence of a broken connection says nothing
		return nil, fmt.Errorf("claim %s: %w", c.subject, nats.ErrDisconnected)
	}
	c.mu.Lock()
	c.self.Held = true
	c.mu.Unlock()
	return nil, nil
}

// answer tells another contender of this one.
func (c *claim) answer(m *nats.Msg) {
	var q event.Message[event.Holder]
	self := c.now()
	if !answerable(m) || json.Unmarshal(m.Data, &q) != nil || q.Data.ID == self.ID {
		return
	}
	raw, err := encode(c.bridge.parts.Conn.Name(), self)
	if err == nil {
		err = c.bridge.sub.Publish(m.Reply, raw)
	}
	if err != nil {
		c.bridge.log.Warn("bus_claim_not_told", slog.Any("error", err))
	}
	if self.Held && q.Data.Before(self) {
		c.bridge.wake() // two hold it: look at once
	}
}

// answerable reports whether a question has an inbox to answer to. Another
// subject would make the bridge say there what its asker may not.
func answerable(m *nats.Msg) bool { return strings.HasPrefix(m.Reply, nats.InboxPrefix) }

// end stops answering for the claim.
func (c *claim) end() {
	if c.sub != nil {
		_ = c.sub.Unsubscribe() // fails only when it is gone already
	}
}
