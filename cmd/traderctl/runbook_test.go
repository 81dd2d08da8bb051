package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"robotrader/broker"
	"robotrader/configs"
)

// runbookCommands returns what the runbook tells a person to type: the lines of
// its blocks, and what stands in backquotes and begins with a program's name.
func runbookCommands(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "\n## Runbook\n")
	if !ok {
		t.Fatal("no runbook in README.md")
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var list []string
	block := regexp.MustCompile("(?s)```sh\n(.*?)```\n")
	for _, m := range block.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(m[1]) {
			if line = strings.TrimSpace(line); line != "" {
				list = append(list, line)
			}
		}
	}
	programs := regexp.MustCompile("`((?:sudo |traderctl |start_trader |systemctl |timedatectl )[^`]*)`")
	for _, m := range programs.FindAllStringSubmatch(block.ReplaceAllString(text, ""), -1) {
		list = append(list, m[1])
	}
	return list
}

// shellWords cuts a line of the runbook at its spaces; double quotes keep some
// together, and nothing else of a shell may be in it.
func shellWords(line string) ([]string, error) {
	if i := strings.IndexAny(line, "|&;<>$`'\\"); i >= 0 {
		return nil, fmt.Errorf("%q needs a shell: at 3 in the morning one command a line is enough", line[i:])
	}
	parts := strings.Split(line, `"`)
	if len(parts)%2 == 0 {
		return nil, fmt.Errorf("a quote is open")
	}
	var words []string
	for i, p := range parts {
		if i%2 == 1 {
			words = append(words, p)
		} else {
			words = append(words, strings.Fields(p)...)
		}
	}
	return words, nil
}

// parses returns what is wrong with a command of the runbook, by the flags of
// the programs themselves.
func parses(words []string) error {
	if words[0] == "sudo" {
		words = words[1:]
	}
	name, args := words[0], words[1:]
	switch name {
	case "traderctl":
		c, rest, err := command().Find(args)
		if err == nil {
			err = c.ParseFlags(rest)
		}
		// One with subcommands only lists them, but for orders, which prints facts, too.
		if err == nil && (c == c.Root() || c.HasSubCommands() && c.Name() != "orders") {
			err = fmt.Errorf("names no command")
		}
		if err == nil {
			err = c.ValidateArgs(c.Flags().Args())
		}
		return err
	case "start_trader":
		for i, a := range args {
			if a == "/etc/robotrader/trader.yaml" { // which begins as this
				args = slices.Replace(slices.Clone(args), i, i+1, filepath.Join("..", "..", "configs", "sim.yaml"))
			}
		}
		_, err := configs.Load(args, nil)
		return err
	case "systemctl":
		if len(args) < 2 || !slices.Contains([]string{"start", "stop", "restart", "status", "enable", "disable", "mask", "is-enabled", "reset-failed", "daemon-reload"}, args[0]) || args[len(args)-1] != "robotrader" {
			return fmt.Errorf("is none of the service's")
		}
		return nil
	case "./install.sh":
		b, err := os.ReadFile("../../scripts/deploy/install.sh")
		for _, a := range args {
			if err == nil && !strings.Contains(string(b), "\n\t"+a+") ") {
				err = fmt.Errorf("install.sh does not know %s", a)
			}
		}
		return err
	case "journalctl", "timedatectl", "df", "du", "mkdir", "rm", "install", "dmesg":
		return nil // the machine's own
	}
	return fmt.Errorf("no program of ours, and none that a machine has for sure")
}

// Every command of the runbook is one that the programs take: nobody has to find
// out at night that a flag has another name.
func TestRunbookCommandsParse(t *testing.T) {
	list := runbookCommands(t)
	if len(list) < 30 {
		t.Fatalf("only %d commands are found: %q", len(list), list)
	}
	for _, line := range list {
		words, err := shellWords(line)
		if err == nil {
			err = parses(words)
		}
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, wrong := range []string{
		"traderctl halt --because x", "traderctl restore", "traderctl", "traderctl alert", "sudo systemctl kill robotrader", "start_trader --chek AAPL",
		"./install.sh --force", "nc -z 127.0.0.1 4002", "traderctl doctor | less", "start_trader --check",
	} {
		words, err := shellWords(wrong)
		if err == nil {
			err = parses(words)
		}
		if err == nil {
			t.Errorf("%s: taken", wrong)
		}
	}
}

// The drill of the runbook works on a folder that no trader has used, and the
// doctor says that the restored journal waits for a person.
func TestRestoreDrill(t *testing.T) {
	folder, backup := journalOf(t, broker.Record{Mode: &broker.ModeRecord{Mode: broker.Active}}), filepath.Join(t.TempDir(), "journal.db")
	drill := t.TempDir()
	for _, args := range [][]string{
		{"--data", folder, "backup", backup},
		{"--data", drill, "restore", backup},
		{"--data", drill, "verify"},
	} {
		if out, errs, code := told(t, args...); code != 0 {
			t.Fatalf("%q: exit %d: %s%s", args, code, out, errs)
		}
	}
	t.Setenv("TRADER_BROKER__NAME", "sim")
	r, _ := examinedBy(t, "--data", drill, "--config", filepath.Join("..", "..", "configs", "sim.yaml"))
	c := checkOf(t, r, "journal")
	if len(c.Findings) != 1 || c.Findings[0].Runbook != "Restore" || !strings.Contains(c.Findings[0].Cause, "journal.db") {
		t.Errorf("%+v", c)
	}
}
