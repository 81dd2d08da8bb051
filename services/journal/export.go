package journal

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"robotrader/broker/order"
)

// The tables that [Reader.ExportCSV] writes.
const (
	ExportExecutions = "executions"
	ExportOrders     = "orders"
	ExportIntents    = "intents"
	ExportAccount    = "account"
)

// Exports lists what can be exported.
func Exports() []string {
	return []string{ExportExecutions, ExportOrders, ExportIntents, ExportAccount}
}

// Columns returns the header of an export, or nil when there is no such one.
// Columns keep their name and meaning; new ones come at the end.
//
// Times are RFC 3339 with nanoseconds in UTC. "at", "created" and "updated"
// are market time, "wall" is this machine's. An empty field is unknown, or does
// not apply. "commission" is a cost, positive; "realized_pnl" is the venue's
// own figure for an execution that closes something. "allowed" is true or
// false, and "rule" is what refused.
func Columns(what string) []string {
	var header string
	switch what {
	case ExportExecutions:
		header = "exec_id,at,account,symbol,side,qty,price,currency,commission,realized_pnl,exchange,ref,order_id,perm_id,client_id"
	case ExportOrders:
		header = "ref,order_id,perm_id,client_id,account,strategy,symbol,side,type,tif,qty,limit,state,filled,avg_price,reason,note,created,updated"
	case ExportIntents:
		header = "id,wall,at,action,strategy,symbol,side,type,tif,qty,limit,target,reason,allowed,rule,decision,account,client_id,order_id"
	case ExportAccount:
		header = "wall,at,account,key,currency,value"
	default:
		return nil
	}
	return strings.Split(header, ",")
}

// ExportCSV writes one of [Exports] as CSV: the line of [Columns], then a line
// a row, oldest first.
func (r *Reader) ExportCSV(ctx context.Context, w io.Writer, what string) error {
	header := Columns(what)
	if header == nil {
		return fmt.Errorf("journal: export %.40q: there is no such table; use one of %s", what, strings.Join(Exports(), ", "))
	}
	rows, err := r.exportRows(ctx, what)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.WriteAll(slices.Concat([][]string{header}, rows)); err != nil {
		return fmt.Errorf("journal %s: export %s: %w", r.path, what, err)
	}
	return nil
}

func (r *Reader) exportRows(ctx context.Context, what string) (rows [][]string, err error) {
	switch what {
	case ExportExecutions:
		return r.executionRows(ctx)
	case ExportOrders:
		return r.orderRows(ctx)
	case ExportIntents:
		return r.intentRows(ctx)
	default:
		return r.accountRows(ctx)
	}
}

func (r *Reader) executionRows(ctx context.Context) (rows [][]string, err error) {
	fills, err := r.Executions(ctx)
	for _, f := range fills {
		rows = append(rows, []string{
			f.ExecID, when(f.At), f.Account, string(f.Symbol), string(f.Side), f.Qty.String(), f.Price.String(), f.Currency,
			known(f.Commission), known(f.RealizedPNL), f.Exchange, f.Ref, number(f.OrderID), number(f.PermID), strconv.Itoa(f.ClientID),
		})
	}
	return rows, err
}

func (r *Reader) orderRows(ctx context.Context) (rows [][]string, err error) {
	orders, err := r.Orders(ctx)
	for _, o := range orders {
		rows = append(rows, []string{
			o.Ref, number(o.OrderID), number(o.PermID), strconv.Itoa(o.ClientID), o.Account, o.Strategy, string(o.Symbol),
			string(o.Side), string(o.Type), string(o.TIF), o.Qty.String(), known(o.Limit), o.State.String(), o.Filled.String(),
			known(o.AvgPrice), o.Reason, o.Note, when(o.Created), when(o.Updated),
		})
	}
	return rows, err
}

func (r *Reader) intentRows(ctx context.Context) (rows [][]string, err error) {
	intents, err := r.Intents(ctx)
	for _, i := range intents {
		in, d := i.Intent, i.Decision
		qty := in.Qty.String()
		if in.Action == order.Cancel {
			qty = ""
		}
		rows = append(rows, []string{
			in.ID, when(i.Wall), when(in.At), string(in.Action), in.Strategy, string(in.Symbol), string(in.Side), string(in.Type),
			string(in.TIF), qty, known(in.Limit), in.Target, in.Reason, strconv.FormatBool(d.Allowed), d.Rule, d.Reason,
			i.Account, strconv.Itoa(i.ClientID), number(i.OrderID),
		})
	}
	return rows, err
}

func (r *Reader) accountRows(ctx context.Context) (rows [][]string, err error) {
	values, err := r.Account(ctx)
	for _, v := range values {
		rows = append(rows, []string{when(v.Wall), when(v.Market), v.Account, v.Key, v.Currency, v.Value})
	}
	return rows, err
}

// when is a time of an export, empty when it is unknown.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// number is a venue's number, empty when it was not told.
func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// known is an exact number, empty when it is unknown.
func known[T fmt.Stringer](v *T) string {
	if v == nil {
		return ""
	}
	return (*v).String()
}
