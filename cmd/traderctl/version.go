package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"robotrader/broker/ibkr/wire"
	"robotrader/services/stamp"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show what this program was built from", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, spoken := stamp.Read(), fmt.Sprintf("%d..%d", wire.MinVersion, wire.MaxVersion)
			if flagOn(c, "json") {
				return json.NewEncoder(c.OutOrStdout()).Encode(struct {
					stamp.Stamp
					ServerVersions string `json:"server_versions"`
				}{s, spoken})
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "robotrader %s, TWS server versions %s\n", s, spoken)
			return err
		},
	}
}

// revision names this build in records.
func revision() string { return stamp.Read().Short() }
