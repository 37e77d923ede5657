package storm

import "github.com/gearstorm/gearstorm/gearcore"

// CredentialsListener is a Spout or Bolt that is told of the topology's credentials (Storm's ICredentialsListener):
// before Prepare or Open, and between other calls after they were replaced. The map may be nil and must not be changed.
type CredentialsListener interface {
	SetCredentials(values map[string]string)
}

// listen tells a component of credentials from now on if it wants to know them.
func listen(component any, ctx *gearcore.Context, c *gearcore.Collector) {
	l, ok := component.(CredentialsListener)
	if !ok {
		return
	}
	if creds := ctx.Credentials; creds != nil {
		async := c.Async()
		creds.Notify(func() error {
			return async.Do(64, func(*gearcore.Collector) { l.SetCredentials(creds.Values()) })
		})
	}
	l.SetCredentials(ctx.Credentials.Values())
}
