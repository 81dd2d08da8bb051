package configs

import (
	"reflect"
	"slices"
)

// harmless are the keys whose text can be shown to a stranger. A new key is not
// among them before somebody thought about it; numbers, durations and switches
// always are.
var harmless = []string{
	"broker.ibkr.gateway", "broker.name", "bus.instance", "desk.on_stop", "log.format", "log.level",
	"broker.ibkr.restart_at", "broker.ibkr.login_at", "runner.bar_width", "runner.strategy", "sim.sessions", "sim.start", "symbols", "websocket.hosts", "websocket.listen",
	"alert.urgent", "alert.off", "alert.quiet_hours",
}

// NotShown stands for a text that may be anything.
const NotShown = "(set, not shown)"

// Harmless returns the settings as they can leave the machine: texts of keys
// that are not known to be harmless are not shown, only that they are set.
func (c Config) Harmless() []Setting {
	known := map[string]field{}
	fields(reflect.TypeFor[Config](), "", nil, known)
	list := c.Settings()
	for i, s := range list {
		if s.Default || s.Value == "" || slices.Contains(harmless, s.Key) || number(known[s.Key].kind) {
			continue
		}
		list[i].Value = NotShown
	}
	return list
}

// number reports whether a value of the type can hold no words.
func number(t reflect.Type) bool {
	if t == nil { // the member of a map
		return false
	}
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint64, reflect.Float64:
		return !isText(t)
	}
	return false
}
