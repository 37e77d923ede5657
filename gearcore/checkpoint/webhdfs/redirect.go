package webhdfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// maxNodes is how many data nodes are tried for one request. A name node notices only after minutes that one is gone.
const maxNodes = 3

// redirected sends the request that a name node wants to see at a data node. Where that cannot be reached, nothing of body was read, and the
// name node is asked for another one.
func (c *client) redirected(ctx context.Context, method, path, op string, params url.Values, body io.Reader) (*http.Response, error) {
	var gone []string // addresses
	var last error
	for range maxNodes {
		r, err := c.ask(ctx, method, path, op, without(params, gone))
		if err != nil {
			return nil, behind(last, err)
		}
		if r.StatusCode != http.StatusTemporaryRedirect {
			if r.StatusCode/100 == 2 && method == http.MethodGet {
				return r, nil // a gateway that reads itself
			}
			return nil, behind(last, answer(r))
		}
		r.Body.Close()
		to, err := c.dataNode(r.Header.Get("Location"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
		r, err = c.send(ctx, method, to.String(), body)
		switch {
		case err == nil && r.StatusCode/100 == 2:
			return r, nil
		case err == nil:
			return nil, answer(r)
		}
		last = fmt.Errorf("%s at data node %s, which has to be reached from here too: %w", op, to.Host, err)
		if !unreached(err) || ctx.Err() != nil {
			break
		}
		gone = append(gone, addresses(ctx, to.Hostname())...)
	}
	return nil, last
}

// behind is err, with what went wrong before it.
func behind(before, err error) error {
	if before == nil {
		return err
	}
	return fmt.Errorf("%w; then %w", before, err)
}

// dataNode is where a name node sends on to.
func (c *client) dataNode(location string) (*url.URL, error) {
	to, err := url.Parse(location)
	if err != nil || to.Host == "" || to.Scheme != "https" && (to.Scheme != "http" || c.scheme == "https") {
		return nil, fmt.Errorf("the name node sends on to where no data node can be: want %s", c.scheme)
	}
	return to, nil
}

// without asks for another data node than those that are gone.
func without(params url.Values, gone []string) url.Values {
	if len(gone) == 0 {
		return params
	}
	out := url.Values{"excludedatanodes": {strings.Join(gone, ",")}}
	for k, v := range params {
		out[k] = v
	}
	return out
}

// unreached says whether err is that there was no connection.
func unreached(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// addresses are those by which a name node knows a host, to which it sends on by name.
func addresses(ctx context.Context, host string) []string {
	if found, err := net.DefaultResolver.LookupHost(ctx, host); err == nil {
		return found
	}
	return []string{host}
}
