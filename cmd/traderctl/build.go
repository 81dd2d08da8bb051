package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"robotrader/services/diag"
)

// buildFlags are how a person tells what gateway runs.
func buildFlags(c *cobra.Command) {
	if c.Flags().Lookup("gateway") == nil {
		c.Flags().String("gateway", "127.0.0.1:4002", "host:port, or gateway-paper, gateway-live, tws-paper, tws-live")
	}
	c.Flags().String("gateway-build", "", "the gateway's build, such as 10.37.1 (default: what its process tells)")
}

// runningBuild returns the gateway's build as the flag tells it, "" when nobody
// does.
func runningBuild(c *cobra.Command) (string, error) {
	build := flagText(c, "gateway-build")
	if build == "" {
		return "", nil
	}
	if err := diag.CheckBuild(build); err != nil {
		return "", fmt.Errorf("%w: --gateway-build: %w", errUsage, err)
	}
	return build, nil
}
