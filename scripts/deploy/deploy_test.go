// Package deploy_test looks at what puts the trader on a server: the unit, the
// scripts, the compose file and the example of the environment. Nothing of the
// machine that runs it is changed.
package deploy_test

import (
	"bufio"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"robotrader/configs"
)

// have skips the test where a tool is missing.
func have(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("%s is not here (Debian: apt-get install systemd): %v", tool, err)
	}
}

// newer are keys that systemd 252, of Debian 12, says that it does not know. It
// goes on without them, and the unit holds without them.
var newer = regexp.MustCompile(`Unknown key '(RestartSteps|RestartMaxDelaySec)' in section \[Service\], ignoring`)

// The unit is understood by systemd, every word of it.
func TestUnitIsUnderstood(t *testing.T) {
	have(t, "systemd-analyze")
	b, err := os.ReadFile("robotrader.service")
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("true") // stands in for what install.sh puts there
	if err != nil {
		t.Skip("no true here, which stands in for the program: ", err)
	}
	unit := filepath.Join(t.TempDir(), "robotrader.service")
	text := strings.NewReplacer("ExecStart=/usr/local/bin/start_trader", "ExecStart="+program, "/bin/chown", program).Replace(string(b))
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	if strings.Contains(string(out), "Failed to") {
		t.Skipf("systemd-analyze cannot work here: %s", out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, unit) && !newer.MatchString(line) {
			t.Errorf("systemd says: %s", line)
		}
	}
	if err != nil {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// The unit is closed as far as it can be.
func TestUnitIsHardened(t *testing.T) {
	have(t, "systemd-analyze")
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "robotrader.service").CombinedOutput()
	found := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
	if found == nil {
		t.Skipf("systemd-analyze cannot judge here: %v %s", err, out)
	}
	level, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil || level > 2.0 {
		t.Errorf("exposure level %s, %v; want at most 2.0:\n%s", found[1], err, out)
	}
}

// settings returns the unit's keys; one that is given twice has both values.
func settings(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open("robotrader.service")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if k, v, ok := strings.Cut(lines.Text(), "="); ok && !strings.HasPrefix(k, "#") {
			m[k] = strings.TrimSpace(m[k] + " " + v)
		}
	}
	return m
}

// What the unit promises, whatever else changes in it: it is told, fed and
// limited, and what a new start cannot mend is not started anew.
func TestUnitKeepsItsPromises(t *testing.T) {
	u := settings(t)
	for key, want := range map[string]string{
		"Type": "notify", "NotifyAccess": "main", "Restart": "on-failure", "RestartPreventExitStatus": "2 3 4",
		"DynamicUser": "yes", "ProtectSystem": "strict", "StateDirectory": "robotrader", "NoNewPrivileges": "yes",
		"EnvironmentFile": "-/etc/robotrader/trader.env", "CapabilityBoundingSet": "",
	} {
		if got, ok := u[key]; !ok || got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	seconds := func(key string) int {
		n, err := strconv.Atoi(strings.NewReplacer("5min", "300", "30min", "1800").Replace(u[key]))
		if err != nil {
			t.Fatalf("%s is %q", key, u[key])
		}
		return n
	}
	// A service that ends at once would be started until the limit is reached
	// and no further: the burst must fit well into the interval.
	if burst, every, within := seconds("StartLimitBurst"), seconds("RestartSec"), 1800; u["StartLimitIntervalSec"] != "30min" || burst*every*2 > within || burst > 10 {
		t.Errorf("%d starts, %d s apart, within %s: that can storm", burst, every, u["StartLimitIntervalSec"])
	}
	if seconds("WatchdogSec") < 30 || seconds("TimeoutStopSec") < 12 {
		t.Errorf("watchdog %s, stop %s: a trader in order needs a second between feeds and ten to stop", u["WatchdogSec"], u["TimeoutStopSec"])
	}
}

// unpacked lays out what an archive of a release holds, with programs that do
// nothing but tell a version.
func unpacked(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for name, source := range map[string]string{
		"install.sh": "install.sh", "uninstall.sh": "uninstall.sh", "robotrader.service": "robotrader.service",
		".env.example": ".env.example", "README.md": "../../README.md", "configs/sim.yaml": "../../configs/sim.yaml",
	} {
		b, err := os.ReadFile(source)
		if err = errors.Join(err, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)); err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{"start_trader", "traderctl", "gatewaysim"} {
		if err := os.WriteFile(filepath.Join(dir, p), []byte("#!/bin/sh\necho "+p+" "+version+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// script runs one of the scripts and returns what it said. in is what a person
// types.
func script(t *testing.T, in string, code int, path string, args ...string) string {
	t.Helper()
	c := exec.Command("sh", append([]string{path}, args...)...)
	c.Stdin = strings.NewReader(in)
	out, err := c.CombinedOutput()
	if c.ProcessState == nil || c.ProcessState.ExitCode() != code {
		t.Fatalf("%s %q: %v, want exit %d\n%s", path, args, err, code, out)
	}
	return string(out)
}

// tree lists the files below a folder with their modes and contents.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	m := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		name, rerr := filepath.Rel(dir, path)
		m[name] = info.Mode().String() + " " + string(b)
		return errors.Join(err, rerr)
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func names(m map[string]string) []string {
	var list []string
	for name := range m {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

var installed = []string{
	"etc/robotrader/trader.env", "etc/robotrader/trader.yaml", "etc/systemd/system/robotrader.service",
	"usr/local/bin/gatewaysim", "usr/local/bin/start_trader", "usr/local/bin/traderctl", "usr/local/share/doc/robotrader/README.md",
}

// TestInstallTwiceUpgradeUninstallTwice goes through a server's life, in a folder.
func TestInstallTwiceUpgradeUninstallTwice(t *testing.T) {
	to := t.TempDir()
	first := filepath.Join(unpacked(t, "v1"), "install.sh")

	said := script(t, "", 1, first, "--root", to) // nobody answers
	if len(tree(t, to)) != 0 || !strings.Contains(said, "start_trader v1") || !strings.Contains(said, "nothing was changed") {
		t.Fatalf("without an answer: %q in the folder\n%s", names(tree(t, to)), said)
	}
	script(t, "n\n", 1, first, "--root", to)
	if len(tree(t, to)) != 0 {
		t.Fatal("a no is no")
	}
	script(t, "y\n", 0, first, "--root", to)
	was := tree(t, to)
	if !slices.Equal(names(was), installed) {
		t.Fatalf("installed %q, want %q", names(was), installed)
	}
	if !strings.HasPrefix(was["etc/robotrader/trader.env"], "-rw------- ") || !strings.HasPrefix(was["usr/local/bin/start_trader"], "-rwxr-xr-x ") {
		t.Errorf("modes: %.11s, %.11s", was["etc/robotrader/trader.env"], was["usr/local/bin/start_trader"])
	}
	if said := script(t, "", 0, first, "--root", to); !strings.Contains(said, "nothing to do") {
		t.Errorf("the second run says\n%s", said)
	}

	// A person's configuration outlives an upgrade, and so does the data.
	own := filepath.Join(to, "etc/robotrader/trader.yaml")
	journal := filepath.Join(to, "var/lib/private/robotrader/journal.db")
	err := errors.Join(os.WriteFile(own, []byte("symbols: [MSFT]\n"), 0o644), os.MkdirAll(filepath.Dir(journal), 0o700),
		os.WriteFile(journal, []byte("rows"), 0o600), os.Symlink("private/robotrader", filepath.Join(to, "var/lib/robotrader")))
	if err != nil {
		t.Fatal(err)
	}
	second := unpacked(t, "v2")
	if said := script(t, "", 0, filepath.Join(second, "install.sh"), "--root", to, "--yes"); !strings.Contains(said, "replace ") || strings.Contains(said, "trader.yaml") {
		t.Errorf("an upgrade says\n%s", said)
	}
	now := tree(t, filepath.Join(to, "usr"))
	if !strings.Contains(now["local/bin/start_trader"], "v2") || !strings.Contains(now["local/bin/start_trader.previous"], "v1") {
		t.Errorf("after the upgrade: %q", now)
	}
	if b, err := os.ReadFile(own); err != nil || string(b) != "symbols: [MSFT]\n" {
		t.Errorf("the configuration is %q, %v", b, err)
	}

	gone := filepath.Join(second, "uninstall.sh")
	script(t, "", 1, gone, "--root", to) // nobody answers
	if said := script(t, "y\n", 0, gone, "--root", to); !strings.Contains(said, "kept:") {
		t.Errorf("uninstall says\n%s", said)
	}
	kept := []string{"etc/robotrader/trader.env", "etc/robotrader/trader.yaml", "var/lib/private/robotrader/journal.db"}
	if left := names(treeWithoutLinks(t, to)); !slices.Equal(left, kept) {
		t.Errorf("left after uninstall: %q, want %q", left, kept)
	}
	if said := script(t, "", 0, gone, "--root", to, "--yes"); !strings.Contains(said, "nothing to do") {
		t.Errorf("the second uninstall says\n%s", said)
	}
	if said := script(t, "", 0, gone, "--root", to, "--yes", "--delete-config", "--delete-data"); !strings.Contains(said, "DELETE") {
		t.Errorf("deleting says\n%s", said)
	}
	if left := names(treeWithoutLinks(t, to)); len(left) != 0 {
		t.Errorf("left after deleting all: %q", left)
	}
}

// treeWithoutLinks is tree for a folder with links to folders in it.
func treeWithoutLinks(t *testing.T, dir string) map[string]string {
	t.Helper()
	m := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			name, rerr := filepath.Rel(dir, path)
			m[name], err = "", rerr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A folder with a blank in its name is one folder: nothing beside it is touched.
func TestAFolderWithABlankIsOneFolder(t *testing.T) {
	above := t.TempDir()
	to := filepath.Join(above, "my root")
	beside := filepath.Join(above, "my", "own")
	if err := errors.Join(os.MkdirAll(filepath.Dir(beside), 0o700), os.WriteFile(beside, []byte("mine"), 0o600)); err != nil {
		t.Fatal(err)
	}
	dir := unpacked(t, "v1")
	script(t, "", 0, filepath.Join(dir, "install.sh"), "--root", to, "--yes")
	journal := filepath.Join(to, "var/lib/private/robotrader/journal.db")
	if err := errors.Join(os.MkdirAll(filepath.Dir(journal), 0o700), os.WriteFile(journal, []byte("rows"), 0o600)); err != nil {
		t.Fatal(err)
	}
	script(t, "", 0, filepath.Join(dir, "uninstall.sh"), "--root", to, "--yes", "--delete-config", "--delete-data")
	if left := names(treeWithoutLinks(t, above)); !slices.Equal(left, []string{"my/own"}) {
		t.Errorf("left: %q, want what stood beside it alone", left)
	}
}

func TestScriptsRefuseWhatTheyDoNotKnow(t *testing.T) {
	dir := unpacked(t, "v1")
	for _, name := range []string{"install.sh", "uninstall.sh"} {
		path := filepath.Join(dir, name)
		script(t, "", 2, path, "--force")
		script(t, "", 1, path, "--root")
		script(t, "", 1, path, "--root", "/")
		if said := script(t, "", 0, path, "--help"); !strings.Contains(said, "--yes") || !strings.Contains(said, "--root DIR") {
			t.Errorf("%s --help says\n%s", name, said)
		}
	}
	if err := os.Remove(filepath.Join(dir, "start_trader")); err != nil {
		t.Fatal(err)
	}
	if said := script(t, "", 1, filepath.Join(dir, "install.sh"), "--root", t.TempDir(), "--yes"); !strings.Contains(said, "unpack a release's archive") {
		t.Errorf("without a program: %s", said)
	}
}

// composed is what of the compose file is looked at.
type composed struct {
	Services map[string]struct {
		Restart     string
		Entrypoint  []string
		Command     []string
		Healthcheck any
		DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
		NetworkMode string                                `yaml:"network_mode"`
		Environment map[string]string
		ReadOnly    bool     `yaml:"read_only"`
		CapDrop     []string `yaml:"cap_drop"`
		Volumes     []string
		Ports       []string
		Logging     struct{ Options map[string]string }
	}
	Networks map[string]struct {
		Ipam struct {
			Config []struct {
				Subnet  netip.Prefix
				IPRange netip.Prefix `yaml:"ip_range"`
			}
		}
	}
}

// compose reads the compose file, and its text.
func compose(t *testing.T) (composed, string) {
	t.Helper()
	b, err := os.ReadFile("compose.yaml")
	var file composed
	if err = errors.Join(err, yaml.Unmarshal(b, &file)); err != nil {
		t.Fatal(err)
	}
	return file, string(b)
}

// variable is one that the compose file reads from .env, with its default.
var variable = regexp.MustCompile(`\$\{([A-Z_]+)(?::[-?]([^}]*))?\}`)

// The compose file pairs the trader with a gateway, and nothing in it looks at
// the gateway's port.
func TestCompose(t *testing.T) {
	file, text := compose(t)
	trader, gateway := file.Services["trader"], file.Services["gateway"]
	// podman-compose would hand it to a shell, which the image does not hold: the
	// image says it itself, see checkImage in scripts/release.
	if trader.Healthcheck != nil || gateway.Healthcheck != nil {
		t.Errorf("health is said here: trader %+v, gateway %+v", trader.Healthcheck, gateway.Healthcheck)
	}
	if trader.DependsOn["gateway"].Condition != "service_started" {
		t.Errorf("the trader waits for %+v: only that the gateway was started can be known", trader.DependsOn)
	}
	// Every other policy leaves it down when the machine starts anew, or starts one
	// that was stopped by hand.
	if trader.Restart != "unless-stopped" || gateway.Restart != "unless-stopped" {
		t.Errorf("restart: trader %s, gateway %s", trader.Restart, gateway.Restart)
	}
	if trader.Environment["ROBOTRADER_HOLD"] != "1" {
		t.Error("a trader that is refused would come back once a minute for good: ROBOTRADER_HOLD is not set")
	}
	if !trader.ReadOnly || !slices.Equal(trader.CapDrop, []string{"ALL"}) || !slices.Contains(trader.Volumes, "data:/data") || len(trader.Ports) != 0 {
		t.Errorf("the trader is not closed: %+v", trader)
	}
	// Beside a trader that is stopped nothing can be, and it is then that a journal
	// is restored: rescue is on the network by itself.
	ctl, rescue := file.Services["ctl"], file.Services["rescue"]
	if ctl.NetworkMode != "service:trader" || rescue.NetworkMode != "" || !slices.Equal(rescue.Entrypoint, []string{"/traderctl", "--data", "/data"}) ||
		!slices.Equal(ctl.Entrypoint, rescue.Entrypoint) || !slices.Equal(ctl.Volumes, rescue.Volumes) {
		t.Errorf("traderctl beside a trader: %+v, without one: %+v", ctl, rescue)
	}
	for name, s := range file.Services {
		if s.Restart != "" && s.Logging.Options["max-size"] == "" {
			t.Errorf("the log of %s grows for good", name)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s publishes %s beyond this machine", name, p)
			}
		}
	}
	for _, name := range []string{"ibkr", "sim"} { // without an .env, and with one that says sim
		said := func(s string) string {
			return variable.ReplaceAllString(strings.ReplaceAll(s, "${TRADER_BROKER__NAME:-ibkr}", name), "$2")
		}
		var args, environ []string
		for _, arg := range trader.Command {
			args = append(args, said(arg))
		}
		for key, value := range trader.Environment {
			environ = append(environ, key+"="+said(value))
		}
		c, err := configs.Load(args, environ)
		if err != nil || c.Broker.Name != name || !c.Websocket.Exposed() {
			t.Errorf("the trader's command %q and environment %q: %v", args, environ, err)
		}
	}
	if strings.Count(text, "${TRADER_BROKER__NAME:-ibkr}") != 1 {
		t.Error("the broker's name is not read from .env")
	}
}

// The trader is given all of .env and refuses a TRADER_ that is no key, so none
// that only the compose file reads begins like that; the example names it.
func TestComposeReadsNoVariableThatTheTraderRefuses(t *testing.T) {
	_, text := compose(t)
	example, err := os.ReadFile(".env.example")
	if err != nil {
		t.Fatal(err)
	}
	found := variable.FindAllStringSubmatch(text, -1)
	if len(found) < 6 {
		t.Fatalf("%d variables in the compose file", len(found))
	}
	for _, m := range found {
		if !strings.Contains(string(example), "\n#"+m[1]+"=") {
			t.Errorf("%s is not in .env.example", m[1])
		}
		if !strings.HasPrefix(m[1], "TRADER_") {
			continue
		}
		if _, err := configs.Load([]string{"AAPL"}, []string{m[1] + "=x"}); err != nil && strings.Contains(err.Error(), "unknown key") {
			t.Errorf("the trader would end with it in .env: %v", err)
		}
	}
}

// The trader believes the address of the proxy: no other container is given it,
// and it is free when the proxy comes last.
func TestComposeKeepsTheProxysAddressForIt(t *testing.T) {
	file, text := compose(t)
	found := regexp.MustCompile(`ipv4_address: ([0-9.]+)`).FindAllStringSubmatch(text, -1)
	config := file.Networks["trading"].Ipam.Config
	if len(found) != 1 || len(config) != 1 {
		t.Fatalf("fixed addresses %q, subnets %+v; want one of each", found, config)
	}
	proxy, err := netip.ParseAddr(found[0][1])
	if err != nil || !config[0].Subnet.Contains(proxy) || !config[0].IPRange.IsValid() || config[0].IPRange.Contains(proxy) {
		t.Errorf("the proxy has %v, %v; want one in %v that is not given to others, %v", proxy, err, config[0].Subnet, config[0].IPRange)
	}
	if got := file.Services["trader"].Environment["TRADER_WEBSOCKET__BEHIND_PROXY"]; got != proxy.String()+"/32" {
		t.Errorf("the trader believes %s, want the proxy alone, %v", got, proxy)
	}
}

// Every variable of the example is a key that there is, with a value that it
// takes; two are files of the machine that it is copied to.
func TestEnvExample(t *testing.T) {
	b, err := os.ReadFile(".env.example")
	if err != nil {
		t.Fatal(err)
	}
	var environ []string
	for _, m := range regexp.MustCompile(`(?m)^#(TRADER_[A-Z_]+)=(\S+)$`).FindAllStringSubmatch(string(b), -1) {
		environ = append(environ, m[1]+"="+m[2])
	}
	if len(environ) < 8 {
		t.Fatalf("%d variables are shown", len(environ))
	}
	_, err = configs.Load(nil, environ)
	var faults configs.Faults
	if !errors.As(err, &faults) || len(faults) != 1 || !strings.Contains(faults[0].Error(), "/etc/robotrader/tls.crt") {
		t.Errorf("the example's variables: %v, want nothing but the missing certificate", err)
	}
}
