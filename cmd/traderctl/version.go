package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"robotrader/broker/ibkr/wire"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show what this program was built from", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v := map[string]string{
				"version": "dev", "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
				"server_versions": fmt.Sprintf("%d..%d", wire.MinVersion, wire.MaxVersion),
			}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" || s.Key == "vcs.time" {
						v[s.Key] = s.Value
					}
				}
			}
			if flagOn(c, "json") {
				return json.NewEncoder(c.OutOrStdout()).Encode(v)
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "robotrader %s %s, %s, %s, TWS server versions %s\n", v["version"], v["vcs.revision"], v["go"], v["platform"], v["server_versions"])
			return err
		},
	}
}

// revision is the program's own, for records.
func revision() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return s.Value[:12]
			}
		}
	}
	return "dev"
}
