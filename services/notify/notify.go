// Package notify tells the service manager (systemd, or a container engine that
// stands in for it) how the program stands: that it serves, its state in a line,
// that it stops, and, as long as the loops that matter turn, that it lives.
//
// It promises that the watchdog is fed only while every loop that it was given
// shows that it turns: a process that runs while its desk hangs is dead to it. It
// promises not to feed for a dead loop longer than that loop's own bound. A
// gateway that is down is none of this: the loops turn, the state says so. Without
// a manager that listens ($NOTIFY_SOCKET) it does nothing at all.
//
// # Design
//
// One goroutine looks once a second, or twice within a watchdog's period where
// that is shorter: at the loops, then at the state. It asks, and is told nothing,
// so that no part of the program waits for a manager. A message is one datagram;
// one that cannot be sent is logged once until it can again.
package notify

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Loop is a goroutine that the program cannot do without.
type Loop struct {
	Name string
	// Turns returns nil when the loop has turned just now. It ends with ctx.
	Turns func(ctx context.Context) error
	// Within is how long the loop may go without turning, because what it does
	// in one turn is bounded by that. Above 0.
	Within time.Duration
}

// Parts are what a notifier works with.
type Parts struct {
	// Status returns the state in plain words, one line.
	Status func() string
	Loops  []Loop
	Log    *slog.Logger // nil = slog.Default
}

const (
	// lookEvery is how often the goroutine looks.
	lookEvery = time.Second
	// askWithin bounds one question to a loop.
	askWithin = 500 * time.Millisecond
	// maxStatus bounds the state's line, in bytes; systemctl shows one line.
	maxStatus = 300
)

// Notifier speaks to the manager. Make one with [New].
type Notifier struct {
	parts Parts
	every time.Duration // between two looks
	feeds bool          // the manager has a watchdog
	send  func(state string) (sent bool, err error)

	cancel context.CancelFunc
	done   chan struct{}

	// Of the goroutine alone.
	turned map[string]time.Time // when each loop was last seen to turn
	hangs  string               // the loop that was said to hang, "" for none
	ready  bool                 // it was said that the program serves
	status string               // said last
	failed bool                 // the last message could not be sent
}

// New returns a notifier that has said nothing yet.
func New(p Parts) *Notifier {
	if p.Log == nil {
		p.Log = slog.Default()
	}
	n := &Notifier{parts: p, every: lookEvery, turned: map[string]time.Time{}, send: func(s string) (bool, error) {
		return daemon.SdNotify(false, s)
	}}
	period, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		p.Log.Warn("notify_no_watchdog", "error", err, "mend", "leave WATCHDOG_USEC and WATCHDOG_PID to the service manager")
	}
	if n.feeds = err == nil && period > 0; n.feeds {
		n.every = min(n.every, period/2)
	}
	return n
}

// Start says that the program serves, and begins to look. It returns at once. The
// goroutine lives until Stop; without a manager there is none.
func (n *Notifier) Start() {
	now := time.Now()
	for _, l := range n.parts.Loops {
		n.turned[l.Name] = now
	}
	if n.serves(); !n.ready && !n.failed {
		return // nobody listens
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel, n.done = cancel, make(chan struct{})
	go n.run(ctx) // joined by Stop
}

// Stop says that the program stops and ends the goroutine. It may be called
// without Start.
func (n *Notifier) Stop(ctx context.Context) error {
	if n.cancel == nil {
		return nil
	}
	n.cancel()
	select {
	case <-n.done:
	case <-ctx.Done():
		return fmt.Errorf("notify: stop: %w", ctx.Err())
	}
	n.say(daemon.SdNotifyStopping + "\nSTATUS=stopping in order")
	return nil
}

// serves says that the program does.
func (n *Notifier) serves() {
	line := n.line()
	if n.ready = n.say(daemon.SdNotifyReady + "\nSTATUS=" + line); n.ready {
		n.status = line
	}
}

func (n *Notifier) run(ctx context.Context) {
	defer close(n.done)
	t := time.NewTicker(n.every)
	defer t.Stop()
	for {
		n.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// look feeds the watchdog when all loops turn, and says the state when it has
// changed.
func (n *Notifier) look(ctx context.Context) {
	hangs := n.ask(ctx)
	if ctx.Err() != nil { // our own end cut the questions short
		return
	}
	if hangs != n.hangs {
		n.hangs = hangs
		if hangs != "" {
			n.parts.Log.Error("notify_loop_hangs", "loop", hangs, "watchdog", "is not fed any more")
		} else {
			n.parts.Log.Warn("notify_loops_turn_again")
		}
	}
	if !n.ready {
		n.serves()
	}
	if hangs == "" && n.feeds {
		n.say(daemon.SdNotifyWatchdog)
	}
	if line := n.line(); line != n.status {
		if n.say("STATUS=" + line) {
			n.status = line
		}
	}
}

// ask looks at every loop and returns the first that has not turned for longer
// than it may, "" for none.
func (n *Notifier) ask(ctx context.Context) (hangs string) {
	for _, l := range n.parts.Loops {
		asking, cancel := context.WithTimeout(ctx, askWithin)
		err := l.Turns(asking)
		cancel()
		now := time.Now()
		if err == nil {
			n.turned[l.Name] = now
		} else if now.Sub(n.turned[l.Name]) > l.Within {
			hangs = cmp.Or(hangs, l.Name)
		}
	}
	return hangs
}

// line is the state as it can be sent.
func (n *Notifier) line() string {
	text := n.parts.Status()
	if n.hangs != "" {
		text = "the loop " + n.hangs + " HANGS; " + text
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxStatus {
		text = strings.ToValidUTF8(text[:maxStatus-len("…")], "") + "…"
	}
	return text
}

// say sends one message, and reports whether a manager took it.
func (n *Notifier) say(message string) bool {
	sent, err := n.send(message)
	if err != nil && !n.failed {
		n.parts.Log.Warn("notify_not_sent", "error", err)
	}
	n.failed = err != nil
	return sent && err == nil
}
