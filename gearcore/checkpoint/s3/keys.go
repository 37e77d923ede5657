package s3

import "github.com/minio/minio-go/v7/pkg/credentials"

// Keys are those of a user of S3; Session is a token that belongs to keys for a time.
type Keys struct{ Access, Secret, Session string }

// provider gives the client the keys as they are now. The client has one goroutine at a time ask.
type provider struct {
	now   func() Keys
	given Keys
	usual *credentials.Credentials // where there are none
}

func newProvider(now func() Keys) *provider {
	if now == nil {
		now = func() Keys { return Keys{} }
	}
	return &provider{now: now, usual: credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
	})}
}

// RetrieveWithCredContext implements credentials.Provider.
func (p *provider) RetrieveWithCredContext(c *credentials.CredContext) (credentials.Value, error) {
	p.given = p.now()
	if p.given.Access == "" {
		return p.usual.GetWithContext(c)
	}
	return credentials.Value{
		AccessKeyID: p.given.Access, SecretAccessKey: p.given.Secret, SessionToken: p.given.Session, SignerType: credentials.SignatureV4,
	}, nil
}

// Retrieve implements credentials.Provider.
func (p *provider) Retrieve() (credentials.Value, error) { return p.RetrieveWithCredContext(nil) }

// IsExpired implements credentials.Provider.
func (p *provider) IsExpired() bool {
	return p.now() != p.given || p.given.Access == "" && p.usual.IsExpired()
}
