package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"robotrader/broker/ibkr"
	"robotrader/services/diag"
	"robotrader/services/host"
)

// buildFlags are how a person tells what gateway runs.
func buildFlags(c *cobra.Command) {
	if c.Flags().Lookup("gateway") == nil {
		c.Flags().String("gateway", "127.0.0.1:4002", "host:port, or gateway-paper, gateway-live, tws-paper, tws-live")
	}
	c.Flags().String("gateway-build", "", "the gateway's build, such as 10.37.1 (default: what its process tells)")
}

// toldBuild returns the build that the flag names, "" when it names none.
func toldBuild(c *cobra.Command) (string, error) {
	if !c.Flags().Changed("gateway-build") {
		return "", nil
	}
	build := flagText(c, "gateway-build")
	if err := diag.CheckBuild(build); err != nil {
		return "", fmt.Errorf("%w: --gateway-build: %w", errUsage, err)
	}
	return build, nil
}

// runningBuild returns the gateway's build as the flag or its process tells it,
// "" when nothing does. It asks the kernel's tables, never the gateway.
func runningBuild(c *cobra.Command) (string, error) {
	build, err := toldBuild(c)
	if err != nil || build != "" {
		return build, err
	}
	address, err := ibkr.Address(flagText(c, "gateway"))
	if err != nil {
		return "", nil //nolint:nilerr // who needs the address refuses it
	}
	return host.New().Build(c.Context(), address), nil
}
