package diag

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	gops "github.com/shirou/gopsutil/v4/process"

	"robotrader/broker"
	"robotrader/services/host"
)

// trader is the one that runs with the data folder, as far as it can be known.
type trader struct {
	runs bool
	pid  int
	link *broker.Link // nil when it could not be asked
	// health is its session's, nil when there is none or nobody told.
	health *broker.Health
	// journal is why its journal takes nothing, nil when it works or nobody told.
	journal *broker.JournalFailure
	// seen is a trader's process that is connected to the gateway by the
	// kernel's word, 0 when none is.
	seen int
}

// maxState bounds what is read of a trader's answer.
const maxState = 16 << 20

// trader finds out whether a trader runs with the data folder, by the lock that
// it holds, and how its link stands.
func (d Doctor) trader(ctx context.Context, q Question) (Check, trader) {
	told := make(chan trader, 1)
	c := run(ctx, "trader", localWithin, func(ctx context.Context, c *Check) {
		var t trader
		defer func() { told <- t }()
		t = d.lookForTrader(ctx, c, q.Folder)
		if t.runs {
			judgeTrader(c, t)
		}
		if t.runs && q.Starts {
			c.judge(VerdictFailed, "stop that trader, or choose another folder with --data")
			c.recognise(EntryMoving, "another trader runs with this data folder")
		}
	})
	select {
	case t := <-told:
		return c, t
	default:
		return c, trader{runs: true} // not known: then its client id is left alone
	}
}

func (d Doctor) lookForTrader(ctx context.Context, c *Check, dir string) trader {
	pid, err := d.Host.LockHolder(ctx, filepath.Join(dir, "lock"))
	held := pid != 0
	told, toldErr := Announced(dir)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		pid = told.PID // the lock's holder is not told by this system
	case err != nil:
		c.found("the folder's lock: %v", err)
		c.judge(VerdictWarning)
		pid = told.PID
	case !held && toldErr == nil && alive(ctx, told.PID):
		pid = told.PID // some file systems have another number in the table of locks
	}
	if pid == 0 {
		c.found("no trader runs with this folder")
		return trader{}
	}
	t := trader{runs: true, pid: pid}
	if toldErr != nil {
		c.found("process %d holds the folder's lock, and cannot be asked: %v", pid, toldErr)
		c.judge(VerdictWarning)
		return t
	}
	err = t.ask(ctx, told, dir)
	switch {
	case errors.Is(err, errNobody) && !held:
		c.found("no trader runs with this folder: trader.json is left over")
		return trader{}
	case errors.Is(err, errNobody):
		c.found("a trader runs (process %d), and %v: it is starting or stopping", pid, err)
		c.judge(VerdictWarning, "ask again in a few seconds")
	case err != nil:
		c.found("a trader runs (process %d), and cannot be asked: %v", pid, err)
		c.judge(VerdictWarning)
	}
	return t
}

// alive reports whether there is a process by this number.
func alive(ctx context.Context, pid int) bool {
	ok, err := gops.PidExistsWithContext(ctx, int32(pid))
	return err == nil && ok
}

// traderName is what the kernel calls a trader's process.
const traderName = "start_trader"

// connected returns a trader's process that has a connection to the gateway, 0
// when none is seen.
func connected(s *host.Sockets) int {
	if s == nil {
		return 0
	}
	for _, side := range s.Clients {
		if side.Process == traderName && side.States[host.Established] > 0 {
			return side.PID
		}
	}
	return 0
}

// judgeTrader says how the running trader's link stands.
func judgeTrader(c *Check, t trader) {
	l := t.link
	if l == nil {
		return
	}
	c.found("a trader runs (process %d): %s since %s, gateway %s, client id %d", t.pid, l.State,
		l.Since.Local().Format(time.DateTime), l.Facts.Gateway, l.Facts.ClientID)
	judgeStorage(c, t.journal)
	if h := t.health; h != nil && h.Competing != nil {
		c.found("another session of this user takes the market data since %s (code 10197)", h.Competing.Local().Format(time.DateTime))
		c.judge(VerdictWarning, "log out there, or give the trader a user of its own")
		c.recognise(EntryCompeting, "another session of this user takes the market data")
	}
	if l.State == broker.Ready {
		return
	}
	c.recogniseLink(*l)
	c.found("cause: %s", l.Cause)
	verdict := VerdictWarning
	if l.State == broker.NeedsRestart || l.State == broker.Refused {
		verdict = VerdictFailed
	}
	c.judge(verdict, l.Advice)
}

// Place is what a running trader writes of itself into its data folder.
type Place struct {
	PID  int    `json:"pid"`
	HTTP string `json:"http"` // host:port
	// TLSCert is the file with the certificate that it shows, "" without TLS.
	TLSCert string `json:"tls_cert"`
	// Token tells that reading needs the token, too.
	Token bool `json:"token"`
}

// maxPlace bounds the file.
const maxPlace = 4 << 10

// ErrNoHTTP means that a trader cannot be asked.
var ErrNoHTTP = errors.New("it runs with --http off")

// Announced reads what a trader wrote of itself: it runs, or was killed. With
// [ErrNoHTTP] the place is there, and nobody to ask.
func Announced(dir string) (Place, error) {
	var p Place
	b, err := readRegular(filepath.Join(dir, "trader.json"), maxPlace)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return Place{}, fmt.Errorf("trader.json: %w", err)
	}
	if p.HTTP == "" {
		return p, ErrNoHTTP
	}
	return p, nil
}

// errNobody means that nothing listens at the trader's own address.
var errNobody = errors.New("nobody answers")

// ask asks a running trader for its link, its session's health and its journal.
func (t *trader) ask(ctx context.Context, p Place, dir string) error {
	res, err := p.Caller(dir, localWithin).Get(ctx, "/api/state")
	if refused(err) {
		return fmt.Errorf("%w at %s", errNobody, p.HTTP)
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var msg struct {
		Data struct {
			Link   *broker.Link `json:"link"`
			Health struct {
				Session *broker.Health         `json:"session"`
				Journal *broker.JournalFailure `json:"journal"`
			} `json:"health"`
		} `json:"data"`
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", res.Status)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxState)).Decode(&msg); err != nil {
		return fmt.Errorf("its answer is not understood: %w", err)
	}
	if msg.Data.Link == nil {
		return errors.New("it does not tell its link yet")
	}
	t.link, t.health, t.journal = msg.Data.Link, msg.Data.Health.Session, msg.Data.Health.Journal
	return nil
}

// judgeStorage tells of a journal that takes nothing, of which the folder need
// not show anything: a disk that fails may have room.
func judgeStorage(c *Check, f *broker.JournalFailure) {
	if f == nil {
		return
	}
	c.found("entries stop: its journal takes nothing since %s (%s): %s", f.Since.Local().Format(time.DateTime), f.Kind, f.Cause)
	c.judge(VerdictFailed, f.Advice)
	switch f.Kind {
	case "damaged", "lost", "tampered":
		c.recognise(EntryRestore, "the journal of the running trader is "+f.Kind)
	default:
		c.recognise(EntryDisk, "the journal of the running trader cannot be written")
	}
}
