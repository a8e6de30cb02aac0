// Package kubernetes holds what the provider uses of the generated SDK's package of this name.
package kubernetes

import "reflect"

// UntypedArgs are the fields of any Kubernetes object, as resource arguments.
type UntypedArgs map[string]any

// ElementType implements pulumi.Input.
func (UntypedArgs) ElementType() reflect.Type { return reflect.TypeOf((*map[string]any)(nil)).Elem() }
