package acceptance

import (
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"robotrader/broker/ibkr/wire"
)

// servers are the messages that a script can send by name.
var servers = byName(
	wire.ManagedAccts{}, wire.NextValidID{}, wire.ErrMsg{}, wire.CurrentTime{}, wire.TimeInMillis{},
	wire.AccountSummary{}, wire.AccountSummaryEnd{}, wire.AccountValue{}, wire.AcctDownloadEnd{}, wire.AcctUpdateTime{},
	wire.PortfolioValue{}, wire.Position{}, wire.PositionEnd{},
	wire.OpenOrder{}, wire.OpenOrderEnd{}, wire.OrderStatus{}, wire.ExecDetails{}, wire.ExecDetailsEnd{}, wire.CommissionReport{},
	wire.CompletedOrdersEnd{}, wire.OrderBound{},
	wire.ContractData{}, wire.ContractDataEnd{}, wire.HistoricalData{}, wire.HistoricalDataEnd{},
	wire.TickPrice{}, wire.TickSize{}, wire.TickString{}, wire.TickGeneric{}, wire.TickReqParams{}, wire.MarketDataType{},
	wire.NewsBulletin{},
)

func byName(list ...wire.Message) map[string]reflect.Type {
	m := map[string]reflect.Type{}
	for _, s := range list {
		m[wire.Name(s.ID())] = reflect.TypeOf(s)
	}
	return m
}

// outgoing is a message that is sent by name, its fields not filled in yet.
type outgoing struct {
	name   string
	of     reflect.Type
	fields []condition
}

func parseOutgoing(words []string) (*outgoing, error) {
	if len(words) == 0 {
		return nil, fmt.Errorf("no message is named")
	}
	of, ok := servers[words[0]]
	if !ok {
		return nil, fmt.Errorf("no message %q can be sent by name: use one of %s, or spell it, fields by |",
			words[0], strings.Join(slices.Sorted(maps.Keys(servers)), " "))
	}
	fields, err := parseConditions(words[1:])
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		if f.op != "=" {
			return nil, fmt.Errorf("%s: a field that is sent has a value: %s=…", f, f.path)
		}
		if _, err := inMessage(reflect.New(of).Interface(), f.path); err != nil {
			return nil, err
		}
	}
	return &outgoing{words[0], of, fields}, nil
}

// known returns o with what the steps have learnt so far filled in; fields of
// the request it answers are left.
func (o *outgoing) known(vars map[string]string) *outgoing {
	filled := *o
	filled.fields = slices.Clone(o.fields)
	for i, f := range filled.fields {
		for name, value := range vars {
			f.value = strings.ReplaceAll(f.value, "{"+name+"}", value)
		}
		filled.fields[i] = f
	}
	return &filled
}

// message fills the fields in.
func (o *outgoing) message(fill func(string) (string, error)) (wire.Message, error) {
	p := reflect.New(o.of)
	for _, f := range o.fields {
		value, err := fill(f.value)
		if err == nil {
			err = setField(p, f.path, value)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.name, err)
		}
	}
	m, ok := p.Elem().Interface().(wire.Message)
	if !ok {
		return nil, fmt.Errorf("%s is no message", o.name)
	}
	return m, nil
}

// spelled reads a payload that is spelt out: fields ended by |, with \xNN for
// bytes that a text file cannot hold. ok is false when it is not one.
func spelled(text string) (payload []byte, ok bool, err error) {
	first, _, cut := strings.Cut(text, "|")
	if _, bad := strconv.Atoi(first); bad != nil || !cut {
		return nil, false, nil
	}
	if !strings.HasSuffix(text, "|") {
		return nil, true, fmt.Errorf("every field ends with |, the last one, too")
	}
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '|':
			payload = append(payload, 0)
		case strings.HasPrefix(text[i:], `\x`):
			if len(text) < i+4 {
				return nil, true, fmt.Errorf(`\x wants two hexadecimal digits`)
			}
			b, err := hex.DecodeString(text[i+2 : i+4])
			if err != nil {
				return nil, true, fmt.Errorf(`\x%s: %w`, text[i+2:i+4], err)
			}
			payload = append(payload, b...)
			i += 3
		default:
			payload = append(payload, text[i])
		}
	}
	return payload, true, nil
}
