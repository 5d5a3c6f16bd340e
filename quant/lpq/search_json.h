// Searches and their records as JSON. Internal to the quantizer.
#pragma once

#include <nlohmann/json.hpp>

#include "quant/lpq/search_record.h"

namespace lpa::lpq {

nlohmann::ordered_json to_json(const SearchStep& step);
nlohmann::ordered_json to_json(const SearchRecord& record);
/// 0 to the largest int. Throws std::domain_error.
int whole_number(const nlohmann::json& json);
/// Throw nlohmann::json::exception or std::domain_error, whose texts say what is missing or of another type.
SearchStep step_from(const nlohmann::json& json);
SearchRecord record_from(const nlohmann::json& json);

}  // namespace lpa::lpq
