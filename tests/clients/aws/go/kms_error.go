//go:build go1.24

package main

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// The errors of keys. kms_error_go1.19.go is for the SDK that has no types for them.
type (
	kmsAccessDenied = types.KmsAccessDeniedException
	kmsInvalidState = types.KmsInvalidStateException
	kmsThrottling   = types.KmsThrottlingException
)

// disabled expects an error to tell that the key is.
func disabled(err error) error {
	var found *kmsInvalidState
	if !errors.As(err, &found) || found.KmsKeyState != types.KmsKeyStateDisabled {
		return fmt.Errorf("%v does not tell that the key is disabled", err)
	}
	return nil
}
