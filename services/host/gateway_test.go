package host

import (
	"testing"
	"time"
)

func TestVersionAndProduct(t *testing.T) {
	for _, tt := range []struct {
		name             string
		c                command
		product, version string
		told             string
		runs, ibc        bool
	}{
		{
			"installed by the installer", command{name: "java", exe: "/usr/local/i4j_jres/x/bin/java", cwd: "/home/trader/Jts", args: []string{
				"/usr/local/i4j_jres/x/bin/java", "-splash:/home/trader/Jts/ibgateway/1037/.install4j/s.png", "-Dinstall4j.appDir=/home/trader/Jts/ibgateway/1037",
				"-cp", "/home/trader/Jts/ibgateway/1037/jars/jts4launch-1037.jar", "install4j.ibgateway.GWClient",
			}}, "ibgateway", "10.37", "folder ibgateway/1037", true, false,
		},
		{
			"a release with a letter",
			command{name: "java", args: []string{"java", "-cp", "/home/u/Jts/ibgateway/10.41.1d/jars/x.jar", "ibgateway.GWClient"}},
			"ibgateway", "10.41.1d", "folder ibgateway/10.41.1d", true, false,
		},
		{
			"IBC, whose arguments hold a password", command{name: "java", args: []string{
				"java", "-cp", "/opt/ibc/IBC.jar:/home/trader/Jts/1030/jars/jts4launch-1030.jar", "ibcalpha.ibc.IbcTws", "/home/trader/ibc/config.ini", "user", "tws2024", "paper",
			}}, "tws", "10.30", "folder Jts/1030", true, true,
		},
		{
			"macOS",
			command{name: "JavaApplicationStub", exe: "/Users/u/Applications/IB Gateway 10.37/IB Gateway 10.37.app/Contents/MacOS/JavaApplicationStub"},
			"ibgateway", "10.37", "folder IB Gateway/10.37", true, false,
		},
		{"an old one", command{name: "java", args: []string{"java", "-cp", "/home/trader/Jts/985/jars/twslaunch-985.jar"}}, "tws", "9.85", "folder Jts/985", true, false},
		{"no version", command{name: "java", args: []string{"java", "ibgateway.GWClient"}}, "ibgateway", "", "", true, false},
		{"an editor", command{name: "vim", exe: "/usr/bin/vim", args: []string{"vim", "/home/trader/Jts/jts.ini"}}, "tws", "", "", false, false},
		{"another Java", command{name: "java", args: []string{"java", "-jar", "/srv/app-1037.jar"}}, "", "", "", true, false},
		{"nothing", command{}, "", "", "", false, false},
	} {
		v, told := version(tt.c)
		if p := product(tt.c); p != tt.product || v != tt.version || told != tt.told {
			t.Errorf("%s: product %q, version %q by %q; want %q, %q by %q", tt.name, p, v, told, tt.product, tt.version, tt.told)
		}
		if runs(tt.c) != tt.runs || ibc(tt.c) != tt.ibc {
			t.Errorf("%s: runs %v, IBC %v; want %v, %v", tt.name, runs(tt.c), ibc(tt.c), tt.runs, tt.ibc)
		}
	}
}

func TestNamesPort(t *testing.T) {
	for arg, want := range map[string]bool{
		"-host-port=4002": true, "4002": true, "TCP-LISTEN:4002,fork": true, "4002:4003": true, "14002,4002": true,
		"": false, "40021": false, "14002": false, "4003": false, "14002 40021": false,
	} {
		if got := namesPort(arg, "4002"); got != want {
			t.Errorf("%q names 4002: %v, want %v", arg, got, want)
		}
	}
}

func TestUptime(t *testing.T) {
	now := time.Date(2026, 4, 2, 9, 0, 0, 0, time.UTC)
	if up := (Gateway{}).Uptime(now); up != 0 {
		t.Errorf("a start that is not known makes an uptime of %v", up)
	}
	if up := (Gateway{Started: now.Add(-time.Hour)}).Uptime(now); up != time.Hour {
		t.Errorf("uptime %v, want 1h", up)
	}
}

func TestStatesInWords(t *testing.T) {
	if got := (States{CloseWait: 3, Established: 1, TimeWait: 1}).String(); got != "3 CLOSE_WAIT, 1 ESTABLISHED, 1 TIME_WAIT" {
		t.Error(got)
	}
	if got := (States{}).String(); got != "none" {
		t.Error(got)
	}
}
