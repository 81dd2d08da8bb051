package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// message is a payload, of which data waits until its topic is known.
type message struct {
	Seq  uint64          `json:"seq"`
	Data json.RawMessage `json:"data"`
	// Error stands in place of an answer.
	Error string `json:"error"`
}

// intent is an order request's data.
type intent struct {
	ID       string `json:"id"`
	Action   string `json:"action"`
	Strategy string `json:"strategy"`
	Symbol   string `json:"symbol"`
	Side     string `json:"side"`
	Type     string `json:"type"`
	TIF      string `json:"tif"`
	Qty      string `json:"qty"`
	Reason   string `json:"reason"`
	At       string `json:"at"` // market time, as the newest tick told it
}

// reply answers one.
type reply struct {
	Result string `json:"result"` // written, refused, invalid, unknown
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
}

// ordered is what an order tells, of which this program needs little.
type ordered struct {
	Ref    string `json:"ref"`
	State  string `json:"state"`
	Filled string `json:"filled"`
}

// filled is what an execution tells.
type filled struct {
	ExecID string `json:"exec_id"`
	Ref    string `json:"ref"`
	Symbol string `json:"symbol"`
	Side   string `json:"side"`
	Qty    string `json:"qty"`
	Price  string `json:"price"`
}

// desk is the state of which link.get and desk.get tell.
type desk struct {
	Mode struct {
		Mode string `json:"mode"`
	} `json:"mode"`
	Orders []ordered `json:"orders"`
	Fills  []filled  `json:"fills"`
}

type link struct {
	State string `json:"state"`
}

// asker asks the trader. It is safe for concurrent use.
type asker struct {
	nc             *nats.Conn
	user, instance string
}

func (a *asker) subject(topic string) string { return "trader." + a.instance + "." + topic }

// errRefused means that the trader's bus answered, with words instead of an
// answer: nothing was done.
var errRefused = errors.New("not answered")

// ask asks one question. The envelope's wall time lets the trader refuse what a
// broken network delivers late.
func ask[A any](ctx context.Context, a *asker, topic string, question any, within time.Duration) (answer A, err error) {
	raw, err := json.Marshal(map[string]any{"pub": a.user, "seq": 0, "at": time.Now().UTC(), "data": question})
	if err != nil {
		return answer, err
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	m, err := a.nc.RequestWithContext(ctx, a.subject(topic), raw)
	if err != nil {
		return answer, err
	}
	var body message
	if err := json.Unmarshal(m.Data, &body); err != nil {
		return answer, err
	}
	if body.Error != "" {
		return answer, fmt.Errorf("%w: %s", errRefused, body.Error)
	}
	return answer, json.Unmarshal(body.Data, &answer)
}

// order asks for an order until there is an answer, always with the same id,
// which is harmless. Unknown is what remains when there is none.
func (a *asker) order(ctx context.Context, in intent) reply {
	for _, pause := range []time.Duration{200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second} {
		r, err := ask[reply](ctx, a, "order.request."+a.user, in, 7*time.Second)
		switch {
		case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrReconnectBufExceeded):
			return reply{Result: "refused", Rule: "nobody", Reason: "no trader answers: nothing was done"}
		case errors.Is(err, errRefused):
			return reply{Result: "invalid", Reason: err.Error()}
		case err == nil && r.Result != "unknown":
			return r
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return reply{Result: "unknown", Reason: ctx.Err().Error()}
		case <-t.C:
		}
	}
	return reply{Result: "unknown"}
}
