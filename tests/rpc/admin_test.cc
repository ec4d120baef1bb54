// AdminService on a store that lacks its operations, and what it makes of requests.

#include "tests/rpc/service.h"

namespace annals_test {
namespace {

const char kBackupPath[] = "/annals.v1.AdminService/CreateBackup";

TEST(Admin, IsUnsupportedWhereTheStoreCannot) {
  Service service;
  Reply reply = service.client().Call(kBackupPath, BytesField(1, "a"));
  ExpectFailure(reply, GRPC_STATUS_UNIMPLEMENTED, "UNSUPPORTED");
  EXPECT_EQ(reply.message, "the server's store makes no backups");
}

TEST(Admin, RefusesWhatIsNoRequest) {
  Service service;
  for (const std::string &bytes : {std::string("\xff"), BytesField(1, "a") + IntField(3, 1)}) {
    ExpectFailure(service.client().Call(kBackupPath, bytes), GRPC_STATUS_INVALID_ARGUMENT,
                  "INVALID_REQUEST", {{"field", "request"}});
  }
  for (const std::string &bytes : {IntField(1, 1), BytesField(1, "\xff"),
                                   BytesField(1, std::string("\0", 1)), std::string()}) {
    ExpectFailure(service.client().Call(kBackupPath, bytes), GRPC_STATUS_INVALID_ARGUMENT,
                  "INVALID_REQUEST", {{"field", "directory"}});
  }
  ExpectFailure(service.client().Call(kBackupPath, BytesField(1, "a") + BytesField(2, "")),
                GRPC_STATUS_INVALID_ARGUMENT, "INVALID_REQUEST", {{"field", "keep"}});
}

}  // namespace
}  // namespace annals_test
