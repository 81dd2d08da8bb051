// Command traderctl asks a running trader how it stands, and does what is
// possible without one: probe a gateway, export, verify, back up and restore the
// journal.
//
// It promises the exit codes that it documents and that probe never makes a
// bare connection: it speaks, and it closes well.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	_ "time/tzdata" // exchange times on machines without a zone database
)

// exitCode is an error that only says how to end; what there is to say has
// been said.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit %d", int(c)) }

// errUsage marks a command line that makes no sense.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	root := command()
	root.SetArgs(args)
	return ended(ctx, root, out, errs)
}

// ended executes a command and returns its exit code.
func ended(ctx context.Context, root *cobra.Command, out, errs io.Writer) int {
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, errUsage):
		fmt.Fprintf(errs, "traderctl: %v\nrun traderctl --help\n", err)
		return 2
	}
	fmt.Fprintf(errs, "traderctl: %v\n", err)
	return 1
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "traderctl",
		Short:         "Ask a running trader, probe a gateway, export and back up the journal",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	root.PersistentFlags().String("data", "./data", "data folder of the trader")
	root.PersistentFlags().Bool("json", false, "print facts as JSON")
	root.CompletionOptions.DisableDefaultCmd = true
	for _, c := range []*cobra.Command{
		statusCommand(),
		ordersCommand(),
		positionsCommand(),
		reconnectCommand(),
		haltCommand(),
		resumeCommand(),
		flattenCommand(),
		probeCommand(),
		doctorCommand(),
		alertCommand(),
		matrixCommand(),
		bundleCommand(),
		exportCommand(),
		verifyCommand(),
		backupCommand(),
		restoreCommand(),
		framesCommand(),
		versionCommand(),
	} {
		c.Args = usageArgs(c.Args)
		root.AddCommand(c)
	}
	root.Args = usageArgs(cobra.NoArgs)
	return root
}

// usageArgs marks a wrong number of arguments as a matter of usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if check == nil {
			check = cobra.NoArgs
		}
		if err := check(c, args); err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		return nil
	}
}

func flagText(c *cobra.Command, name string) string {
	v, err := c.Flags().GetString(name)
	if err != nil {
		panic(err) // our own flag by a wrong name
	}
	return v
}

func flagOn(c *cobra.Command, name string) bool {
	v, err := c.Flags().GetBool(name)
	if err != nil {
		panic(err) // our own flag by a wrong name
	}
	return v
}
