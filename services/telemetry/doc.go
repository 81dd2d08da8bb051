// Package telemetry makes the logger and holds the metrics of the whole
// program: the runtime's and the process's, the link's and its ladder's, those
// of market data and pacing, of orders, decisions and risk, of positions and
// their guards, of the journal, the bus, the feed, the alerts and the recorder.
//
// It promises names that do not change, with units and help, below the prefix
// trader_, and that a log holds no secret that came as an attribute with a
// telling name. It does not serve HTTP and does not collect by itself: whoever
// owns a fact tells it, or is asked at a scrape.
//
// # Design
//
// Unknown is not zero: what is not known has no series, so that a rule about it
// is silent, and other figures (up, trader_books_known) tell that. What happens
// is a counter, what is so is a gauge that is asked for when it is scraped: the
// number of open orders is that of the books and not a sum of what went by.
//
// Labels are bounded. Most have their values in the code: states, rungs, kinds,
// stages, the parts on the bus and their topics. Those that have not are named
// with their bounds in label.go: beyond, a counter counts under "other", and a
// gauge leaves out what is more, which trader_metrics_left_out counts for
// symbols. No label holds an account, an order or a secret.
package telemetry
