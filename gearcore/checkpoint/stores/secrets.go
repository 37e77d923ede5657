package stores

import "github.com/gearstorm/gearstorm/gearcore/checkpoint/s3"

// Secrets are what a URL should not tell.
type Secrets struct {
	// S3 are the keys for S3; without them: from the environment, the user's file or the machine's role.
	S3 s3.Keys
	// Delegation is a delegation token for HDFS, in its URL form.
	Delegation string
}

// Names of a topology's credentials that are for the store of its checkpoints.
const (
	S3AccessKey     = "gearstorm.checkpoint.s3.access.key"
	S3SecretKey     = "gearstorm.checkpoint.s3.secret.key"
	S3SessionToken  = "gearstorm.checkpoint.s3.session.token"
	DelegationToken = "gearstorm.checkpoint.webhdfs.delegation"
)

// SecretsOf returns those that are among a topology's credentials.
func SecretsOf(credentials map[string]string) Secrets {
	return Secrets{
		S3:         s3.Keys{Access: credentials[S3AccessKey], Secret: credentials[S3SecretKey], Session: credentials[S3SessionToken]},
		Delegation: credentials[DelegationToken],
	}
}
