/*
 * The contract as data: a google.protobuf.FileDescriptorSet, made by protoc when this was built.
 *
 * Floor 1. It holds the services, all that they import, and the details of errors.
 */
#ifndef ANNALS_PROTO_SERVICE_DESCRIPTORS_H_
#define ANNALS_PROTO_SERVICE_DESCRIPTORS_H_

#include <stddef.h>
#include <stdint.h>

extern const uint8_t annals_service_descriptors[];
extern const size_t annals_service_descriptors_size;

#endif
