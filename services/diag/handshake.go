package diag

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"robotrader/broker"
	"robotrader/services/host"
)

// plan says with which client id the one handshake is made, and why not with
// the trader's; skip means that none is made.
type plan struct {
	id   int
	why  string
	skip bool
}

// planned decides about the handshake: two sessions with one client id must
// never exist at once, and a gateway that hangs is not asked again.
func planned(q Question, t trader) plan {
	own, spare := plan{id: q.ClientID}, plan{id: q.SpareID}
	if !t.runs && t.seen != 0 {
		spare.why = fmt.Sprintf("process %d, a trader with another data folder, is connected to this gateway, and its client id cannot be seen: the spare id %d is used", t.seen, q.SpareID)
		return spare
	}
	if !t.runs {
		return own
	}
	if t.link == nil {
		spare.why = fmt.Sprintf("a trader runs and could not be asked: its client id is left alone, the spare id %d is used", q.SpareID)
		return spare
	}
	l := t.link
	if l.Facts.Gateway != "" && surelyAnother(l.Facts.Gateway, q.Gateway) {
		own.why = "the running trader is connected elsewhere, to " + l.Facts.Gateway
		return own
	}
	if l.State == broker.NeedsRestart && !q.Force {
		return plan{skip: true, why: "the running trader has stopped asking this gateway because it hangs, and one more attempt may make it worse; --force makes one all the same"}
	}
	if l.Facts.Gateway != "" && l.Facts.ClientID != q.ClientID {
		own.why = fmt.Sprintf("the running trader uses another client id, %d", l.Facts.ClientID)
		return own
	}
	what := fmt.Sprintf("the running trader holds client id %d (its link is %s)", q.ClientID, l.State)
	if l.State != broker.Ready && l.State != broker.Degraded {
		what = fmt.Sprintf("the running trader may use client id %d at any moment (its link is %s)", q.ClientID, l.State)
	}
	spare.why = fmt.Sprintf("%s: no handshake with the same id, the spare id %d is used", what, q.SpareID)
	return spare
}

// surelyAnother reports whether two addresses cannot be the same gateway. Names
// differ where the gateway does not: localhost, 127.0.0.1 and the machine's own
// address are one, and two sessions with one client id would come of a wrong
// yes, of a wrong no only a handshake with the spare id.
func surelyAnother(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil {
		return false
	}
	if portA != portB {
		return true
	}
	ipA, errA := netip.ParseAddr(hostA)
	ipB, errB := netip.ParseAddr(hostB)
	if errA != nil || errB != nil {
		return false // a name
	}
	far := func(ip netip.Addr) bool { return !ip.Unmap().IsLoopback() && !ip.IsUnspecified() }
	return far(ipA) && far(ipB) && ipA.Unmap() != ipB.Unmap()
}

// handshakes makes the one handshake, what follows from it and what was asked
// for. The result is the one that decides, nil when none was made.
func (d Doctor) handshakes(ctx context.Context, q Question, t trader, ports []host.Port, add func(Check)) *Probe {
	p := planned(q, t)
	if p.skip {
		add(run(ctx, "handshake", localWithin, func(_ context.Context, c *Check) { c.skip("%s", p.why) }))
		add(run(ctx, "gateway_clock", localWithin, func(_ context.Context, c *Check) { checkOffset(c, nil) }))
		return nil
	}
	first := d.shake(ctx, "handshake", q, q.Gateway, p.id, q.Timeout, p.why)
	add(first)
	newest := first.Probe
	if newest == nil { // it did not end, and its result is not known
		return nil
	}
	if newest.Failure == broker.ClientIDInUse && p.id != q.SpareID && d.pause(ctx) {
		c := d.shake(ctx, "handshake_spare", q, q.Gateway, q.SpareID, q.Timeout,
			fmt.Sprintf("client id %d is in use by another program: the spare id %d is used", p.id, q.SpareID))
		if c.Probe != nil && c.Probe.Result == Ready {
			c.Advice = append(c.Advice, fmt.Sprintf("the gateway is well; end the other program that uses client id %d, or wait until the gateway has freed it", p.id))
		}
		add(c)
		if newest = c.Probe; newest == nil {
			return first.Probe
		}
	}
	add(run(ctx, "gateway_clock", localWithin, func(_ context.Context, c *Check) { checkOffset(c, newest) }))
	if newest.Result == Failed {
		d.alternatives(ctx, q, p.id, *newest, ports, add)
	}
	return first.Probe
}

// shake makes one handshake and keeps its record in the data folder. Its Probe is
// nil when it did not end in time, as on a disk that hangs.
func (d Doctor) shake(ctx context.Context, name string, q Question, gateway string, id int, timeout time.Duration, why string) Check {
	return run(ctx, name, localWithin+timeout+closeWithin, func(ctx context.Context, c *Check) {
		if why != "" {
			c.found("%s", why)
		}
		build := d.build(ctx, q, gateway)
		p := Run(ctx, d.Prober, gateway, id, timeout)
		p.Source, p.GatewayBuild, p.TraderVersion = FromDoctor, build, q.Version
		c.Probe = &p
		c.found("%s with client id %d, at most %v: %s", p.Gateway, id, timeout, p.Result)
		for _, r := range p.Rungs {
			mark := "ok"
			if !r.OK {
				mark = "FAILED"
			}
			c.found("%-16s %-6s %9.3f ms  %s", r.Name, mark, r.AtMS, r.Note)
		}
		if p.Result == Ready {
			c.found("server version %d, accounts %v, next order id %d", p.ServerVersion, p.Accounts, p.NextValidID)
		} else {
			c.found("%s", p.Error)
			c.judge(VerdictFailed, p.Advice)
			c.recogniseFailure(p.Failure)
		}
		for _, w := range []string{p.Warning(), MarkWarning(q.Folder, build)} {
			if w != "" {
				c.judge(VerdictWarning, w)
			}
		}
		if err := p.Append(q.Folder); err != nil {
			c.found("%v", err)
			c.judge(VerdictWarning)
		}
	})
}

// build returns the build of the gateway that is asked, as a person or its
// process tells it, "" when nothing does.
func (d Doctor) build(ctx context.Context, q Question, gateway string) string {
	if q.Build != "" {
		return q.Build
	}
	list, err := d.Host.Gateways(ctx, gateway)
	if err != nil || len(list) == 0 || !list[0].Listens {
		return ""
	}
	return list[0].Version
}

// triedTimeouts are what --try-timeouts gives a slow gateway.
var triedTimeouts = []time.Duration{10 * time.Second, 30 * time.Second, time.Minute}

// alternatives makes the handshakes that were asked for, each after a rest, and
// ends a kind with its first success.
func (d Doctor) alternatives(ctx context.Context, q Question, id int, failed Probe, ports []host.Port, add func(Check)) {
	noTCP := failed.FailedAt == broker.RungTCP
	skip := func(name, format string, a ...any) {
		add(run(ctx, name, localWithin, func(_ context.Context, c *Check) { c.skip(format, a...) }))
	}
	try := func(name, gateway string, id int, timeout time.Duration) bool {
		if !d.pause(ctx) {
			return true
		}
		c := d.shake(ctx, name, q, gateway, id, timeout, "")
		add(c)
		return c.Probe == nil || c.Probe.Result == Ready
	}
	if q.TryIDs && noTCP {
		skip("try_ids", "another client id does not help where no connection comes about")
	} else if q.TryIDs {
		for _, other := range []int{q.SpareID, q.SpareID + 1} {
			if other != id && try("try_ids", q.Gateway, other, q.Timeout) {
				break
			}
		}
	}
	slow := failed.Failure.Wedged() || failed.Failure == broker.NoAccounts || failed.Failure == broker.Unreachable
	if q.TryTimeouts && !slow {
		skip("try_timeouts", "more time does not help: the handshake did not end by its time")
	} else if q.TryTimeouts {
		for _, timeout := range triedTimeouts {
			if timeout > q.Timeout && try("try_timeouts", q.Gateway, id, timeout) {
				break
			}
		}
	}
	if q.TryTWS {
		others := d.others(ctx, q.Gateway, ports)
		if len(others) == 0 {
			skip("try_tws", "no other usual port is known to be listened on; none is tried blindly")
		}
		for _, gateway := range others {
			if try("try_tws", gateway, q.SpareID, q.Timeout) {
				break
			}
		}
	}
}

// others returns the usual ports beside the asked one on which somebody of this
// machine listens by the kernel's word.
func (d Doctor) others(ctx context.Context, gateway string, ports []host.Port) []string {
	name, asked, err := net.SplitHostPort(gateway)
	if err != nil {
		return nil
	}
	var list []string
	for _, p := range ports {
		other := net.JoinHostPort(name, strconv.Itoa(p.Port))
		if strconv.Itoa(p.Port) != asked && d.Host.Listener(ctx, other).Listening && !slices.Contains(list, other) {
			list = append(list, other)
		}
	}
	return list
}
