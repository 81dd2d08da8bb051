package main

import (
	"errors"
	"os"
	"path/filepath"

	"robotrader/scripts/rig"
)

// limits is the trader's configuration but for desk.protect: what one order a
// tick needs, and a limit for every order all the same. What is off is there to
// stop such a load.
const limits = `risk:
  max_order_qty: "5"
  orders_per_minute: 3000
  off: [notional_per_day, session, duplicate_intent, churn_cooldown, daily_loss, drawdown, losing_streak]
desk:
  settled_after: 10s # the gateway is gatewaysim, which has its orders as soon as it serves
  protect: `

// startTrader starts one life on the round's data folder. Env may name where
// it is to crash.
func startTrader(p plan, folder, gateway string, env []string, args ...string) (*rig.Trader, error) {
	addr, err := rig.FreePort()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(folder, "limits.yaml")
	if err := os.WriteFile(config, []byte(limits+p.protect()+"\n"), 0o600); err != nil {
		return nil, err
	}
	name := "start_trader"
	if len(env) > 0 {
		name = crashing
	}
	args = append([]string{"--config", config, "--strategy", "every_tick"}, append(args, "AAPL")...)
	return rig.StartTrader(filepath.Join(p.bin, name), folder, addr, gateway, env, args...)
}

// checkSent holds all that is at the venue against what is durable, and that
// against what was allowed when.
func checkSent(v *rig.Look, s rig.Stored) error {
	return errors.Join(rig.CheckSent(v, s), checkDecisions(s), rig.CheckReady(s))
}
