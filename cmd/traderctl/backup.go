package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"robotrader/services/journal"
)

// journalFile is the journal in the data folder that a command names.
func journalFile(c *cobra.Command) string { return filepath.Join(flagText(c, "data"), "journal.db") }

// tellReport prints what was looked at.
func tellReport(c *cobra.Command, facts map[string]any, text string) error {
	if flagOn(c, "json") {
		return json.NewEncoder(c.OutOrStdout()).Encode(facts)
	}
	_, err := io.WriteString(c.OutOrStdout(), text)
	return err
}

func verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Look at every row of the journal, whether or not a trader runs",
		Long: `Look at every row of the journal: the file's own structure, each row's check
sum, the chain of hashes through all of them, and the witness beside it, which
tells when the end is missing. It changes nothing. A finding ends with code 1.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			rep, err := journal.Verify(c.Context(), journalFile(c))
			if err != nil {
				return err
			}
			note := ""
			if !rep.Witness {
				note = "; there is no witness, so a missing end would not be noticed"
			}
			return tellReport(c, map[string]any{"rows": rep.Rows, "chained": rep.Chained, "witness": rep.Witness},
				fmt.Sprintf("the journal is good: %d rows, %d of them in the chain%s\n", rep.Rows, rep.Chained, note))
		},
	}
}

func backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "backup FILE",
		Short:   "Copy the journal into a new file and verify the copy, whether or not a trader runs",
		Example: `  traderctl backup ~/backups/journal-$(date +%F).db`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			rep, err := journal.Backup(c.Context(), journalFile(c), args[0])
			if err != nil {
				return err
			}
			return tellReport(c, map[string]any{"file": args[0], "rows": rep.Rows, "chained": rep.Chained},
				fmt.Sprintf("%s: %d rows, verified\n", args[0], rep.Rows))
		},
	}
}

func restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a backup the journal of a stopped trader; what is there is kept aside",
		Long: `Make a backup the journal of the data folder. The trader must be stopped. The
backup is verified first; what is there is moved into a new folder
journal-aside-... in the data folder, and nothing is deleted. The mode in it
is halted: compare orders and positions with the broker, then resume.

At the next start the broker tells the open orders and the day's executions
again. Order ids go on above the highest one that the journal or the broker
knows. What the broker does not tell any more, such as intents and decisions
since the backup, is only in what was put aside.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			dir := flagText(c, "data")
			lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
			got, err := lock.TryLock()
			if err != nil {
				return fmt.Errorf("restore: lock the data folder: %w; name it with --data", err)
			}
			if !got {
				return fmt.Errorf("restore: %s is in use by a trader; stop it first", dir)
			}
			defer func() { err = errors.Join(err, lock.Unlock()) }()
			aside, rep, err := journal.Restore(c.Context(), args[0], journalFile(c))
			if err != nil {
				if aside != "" {
					return fmt.Errorf("%w; the journal that was there is in %s; restore again", err, aside)
				}
				return err
			}
			text := fmt.Sprintf("restored %d rows from %s; trading is halted until traderctl resume\n", rep.Rows, args[0])
			if aside != "" {
				text += fmt.Sprintf("what was there is in %s\n", aside)
			}
			return tellReport(c, map[string]any{"file": args[0], "rows": rep.Rows, "aside": aside}, text)
		},
	}
}
