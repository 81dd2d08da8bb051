package strategy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"robotrader/broker/market"
)

// ErrBadParam means that a parameter is unknown or its value is no good.
var ErrBadParam = errors.New("bad strategy parameter")

// Param declares one parameter: an exact decimal number between two bounds,
// both allowed.
type Param struct {
	Name    string
	Doc     string // plain words
	Unit    string // such as "bars", "USD"
	Default string
	Min     string
	Max     string
	Whole   bool // no fraction
}

// Values are the parameters of one strategy, all of them present.
type Values struct{ of map[string]market.Qty } // a Qty is an exact decimal; these count no shares

// Int returns a whole parameter. An undeclared name panics: the strategy's
// own mistake.
func (v Values) Int(name string) int { return int(v.get(name).Int()) }

// Decimal returns a parameter as an exact decimal number.
func (v Values) Decimal(name string) market.Qty { return v.get(name) }

func (v Values) get(name string) market.Qty {
	q, ok := v.of[name]
	if !ok {
		panic(fmt.Sprintf("strategy: parameter %q is not declared", name))
	}
	return q
}

// Parse returns the values of set, with the defaults of what is not in it, or
// all that is wrong with it, joined; each error wraps [ErrBadParam].
func (k Kind) Parse(set map[string]string) (Values, error) {
	v := Values{map[string]market.Qty{}}
	var errs []error
	known := make([]string, 0, len(k.Params))
	for _, p := range k.Params {
		known = append(known, p.Name)
		text, ok := set[p.Name]
		if !ok {
			text = p.Default
		}
		q, err := p.parse(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", k.Name, err))
		}
		v.of[p.Name] = q
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("%s: parameter %.40q=%.40q is unknown; it has %s: %w",
				k.Name, name, set[name], list(known), ErrBadParam))
		}
	}
	if len(errs) == 0 && k.Check != nil {
		if err := k.Check(v); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w: %w", k.Name, err, ErrBadParam))
		}
	}
	if len(errs) > 0 {
		return Values{}, errors.Join(errs...)
	}
	return v, nil
}

func (p Param) parse(text string) (market.Qty, error) {
	q, err := market.ParseQty(strings.TrimSpace(text))
	lowest, highest := market.MustQty(p.Min), market.MustQty(p.Max)
	if err != nil || q.Less(lowest) || highest.Less(q) || p.Whole && q != q.Whole() {
		what := "a number"
		if p.Whole {
			what = "a whole number"
		}
		unit := ""
		if p.Unit != "" {
			unit = " " + p.Unit
		}
		return market.Qty{}, fmt.Errorf("parameter %s=%.40q is not %s from %s to %s%s (default %s): %w",
			p.Name, text, what, p.Min, p.Max, unit, p.Default, ErrBadParam)
	}
	return q, nil
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
