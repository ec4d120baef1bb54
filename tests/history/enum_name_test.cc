#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>

extern "C" {
#include "annals/v1/history_service.pb-c.h"
#include "server/history/describe.h"
#include "server/history/enum_name.h"
}

namespace {

/* AWS's name is the value's without the enum's own; the numbers are annals.v1's. */
void ExpectSame(const annals_enum &values, const ProtobufCEnumDescriptor &descriptor,
                const std::string &prefix) {
  std::set<std::string> names;
  EXPECT_EQ(annals_enum_name(&values, 0), nullptr);
  for (unsigned i = 0; i < descriptor.n_values; i++) {
    const ProtobufCEnumValue &value = descriptor.values[i];
    if (value.value == 0) {
      continue;
    }
    const char *name = annals_enum_name(&values, value.value);
    ASSERT_NE(name, nullptr) << value.name;
    EXPECT_EQ(prefix + name, value.name);
    EXPECT_EQ(annals_enum_number(&values, name), value.value);
    names.insert(name);
  }
  EXPECT_EQ(names.size(), descriptor.n_values - 1);
  EXPECT_EQ(annals_enum_name(&values, static_cast<int>(descriptor.n_values)), nullptr);
  /* The set that errors show is the same. */
  std::string set = values.value_set;
  EXPECT_EQ(set.front(), '[');
  EXPECT_EQ(set.back(), ']');
  std::istringstream words(set.substr(1, set.size() - 2));
  std::set<std::string> shown;
  for (std::string word; std::getline(words >> std::ws, word, ',');) {
    shown.insert(word);
  }
  EXPECT_EQ(shown, names);
}

TEST(EnumName, IsThatOfTheProto) {
  ExpectSame(annals_enum_execution_status, annals__v1__execution_status__descriptor,
             "EXECUTION_STATUS_");
  ExpectSame(annals_enum_redrive_filter, annals__v1__execution_redrive_filter__descriptor,
             "EXECUTION_REDRIVE_FILTER_");
  ExpectSame(annals_enum_included_data, annals__v1__included_data__descriptor, "INCLUDED_DATA_");
  EXPECT_STREQ(annals_enum_name(&annals_enum_execution_status, ANNALS_STATUS_ABORTED), "ABORTED");
}

TEST(EnumName, WhatIsNoneIsNone) {
  for (int number : {-1, 7, 1000000}) {
    EXPECT_EQ(annals_enum_name(&annals_enum_execution_status, number), nullptr);
  }
  for (const char *name : {"", "running", "RUNNING ", "EXECUTION_STATUS_RUNNING"}) {
    EXPECT_EQ(annals_enum_number(&annals_enum_execution_status, name), 0);
  }
  EXPECT_EQ(annals_enum_number(&annals_enum_included_data, nullptr), 0);
}

}  // namespace
