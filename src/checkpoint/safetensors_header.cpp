// The JSON header of a safetensors file, read as a stream of events: a header of a hundred thousand tensors costs the
// map of their places and no document, and a key that stands twice is seen.
#include <algorithm>
#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <optional>
#include <utility>

#include "base/error.h"
#include "checkpoint/safetensors.h"

namespace paro {
namespace {

namespace json = boost::json;
using Tensors = std::map<std::string, StoredTensor, std::less<>>;

constexpr size_t kMaxNameBytes = 4096;
constexpr size_t kMaxStoredRank = 16;

std::optional<DType> parse_dtype(std::string_view name) {
  for (const DType dtype :
       {DType::f32, DType::f16, DType::bf16, DType::i64, DType::i32, DType::i16, DType::i8, DType::u8}) {
    if (name == to_string(dtype)) return dtype;
  }
  return std::nullopt;
}

// Names and limits are those that Boost.JSON's basic_parser asks of a handler. Errors leave it as exceptions.
class HeaderHandler {
 public:
  static constexpr size_t max_object_size = size_t(-1);
  static constexpr size_t max_array_size = size_t(-1);
  static constexpr size_t max_key_size = kMaxNameBytes;
  static constexpr size_t max_string_size = size_t(-1);

  HeaderHandler(std::string_view file_name, int64_t data_offset_bytes, int64_t n_data_bytes)
      : file_name_(file_name), data_offset_bytes_(data_offset_bytes), n_data_bytes_(n_data_bytes) {}

  Tensors take_tensors() { return std::move(tensors_); }

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }

  bool on_object_begin(json::error_code&) {
    if (!skipping_) {
      if (depth_ == 1) {
        begin_tensor();
      } else if (depth_ != 0) {
        throw_unexpected("an object");
      }
    }
    ++depth_;
    return true;
  }

  bool on_object_end(size_t, json::error_code&) {
    --depth_;
    if (skipping_) {
      end_skipped();
    } else if (depth_ == 1) {
      end_tensor();
    }
    return true;
  }

  bool on_array_begin(json::error_code&) {
    if (!skipping_ && (depth_ != 2 || field_ == Field::dtype)) throw_unexpected("a list");
    ++depth_;
    return true;
  }

  bool on_array_end(size_t, json::error_code&) {
    --depth_;
    if (skipping_) end_skipped();
    return true;
  }

  bool on_key_part(json::string_view part, size_t, json::error_code&) {
    text_.append(part.data(), part.size());
    return true;
  }

  bool on_key(json::string_view part, size_t, json::error_code&) {
    text_.append(part.data(), part.size());
    const std::string key = std::exchange(text_, {});
    if (skipping_) return true;
    if (depth_ == 1) {
      begin_entry(key);
    } else {
      begin_field(key);
    }
    return true;
  }

  bool on_string_part(json::string_view part, size_t, json::error_code&) {
    if (!skipping_) text_.append(part.data(), part.size());
    return true;
  }

  bool on_string(json::string_view part, size_t, json::error_code&) {
    if (skipping_) return end_skipped();
    text_.append(part.data(), part.size());
    const std::string text = std::exchange(text_, {});
    if (depth_ != 2 || field_ != Field::dtype) throw_unexpected("a string");
    dtype_ = parse_dtype(text);
    if (!dtype_) {
      throw_error(fmt::format("'{}' has dtype {}, expected F32, F16, BF16, I64, I32, I16, I8 or U8", name_,
                              text.substr(0, 32)));
    }
    return true;
  }

  bool on_number_part(json::string_view, json::error_code&) { return true; }

  bool on_int64(int64_t number, json::string_view, json::error_code&) {
    if (skipping_) return end_skipped();
    if (depth_ != 3) throw_unexpected("a number");
    if (number < 0) throw_error(fmt::format("'{}' has {} in its {}", name_, number, field_name()));
    auto& numbers = field_ == Field::shape ? extents_ : offsets_;
    if (numbers.size() == kMaxStoredRank) {
      throw_error(fmt::format("'{}' has more than {} numbers in its {}", name_, kMaxStoredRank, field_name()));
    }
    numbers.push_back(number);
    return true;
  }

  bool on_uint64(uint64_t number, json::string_view, json::error_code&) {
    if (skipping_) return end_skipped();
    throw_unexpected(fmt::format("the number {}", number));
  }

  bool on_double(double number, json::string_view, json::error_code&) {
    if (skipping_) return end_skipped();
    throw_unexpected(fmt::format("the number {}", number));
  }

  bool on_bool(bool, json::error_code&) {
    if (skipping_) return end_skipped();
    throw_unexpected("a boolean");
  }

  bool on_null(json::error_code&) {
    if (skipping_) return end_skipped();
    throw_unexpected("null");
  }

  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  enum class Field { dtype, shape, data_offsets };

  [[noreturn]] void throw_error(const std::string& message) const {
    throw Error(ErrorKind::checkpoint, "{} in {}", message, file_name_);
  }

  [[noreturn]] void throw_unexpected(std::string_view found) const {
    if (depth_ == 0) throw_error(fmt::format("the header is {}, expected an object,", found));
    if (depth_ == 1) throw_error(fmt::format("'{}' is {}, expected dtype, shape and data_offsets,", name_, found));
    throw_error(fmt::format("'{}' has {} in its {}, expected {}", name_, found, field_name(),
                            field_ == Field::dtype ? "a string" : "a list of integers"));
  }

  std::string_view field_name() const {
    switch (field_) {
      case Field::dtype:
        return "dtype";
      case Field::shape:
        return "shape";
      case Field::data_offsets:
        return "data_offsets";
    }
    return "?";
  }

  // A value within __metadata__ has ended; back at the root, tensors follow.
  bool end_skipped() {
    if (depth_ == 1) skipping_ = false;
    return true;
  }

  void begin_entry(const std::string& key) {
    if (key == "__metadata__") {
      if (has_metadata_) throw_error("'__metadata__' stands twice");
      has_metadata_ = skipping_ = true;
      return;
    }
    if (tensors_.contains(key)) throw_error(fmt::format("'{}' stands twice", key));
    name_ = key;
  }

  void begin_field(const std::string& key) {
    for (const Field field : {Field::dtype, Field::shape, Field::data_offsets}) {
      field_ = field;
      if (key != field_name()) continue;
      if (seen_[size_t(field)]) throw_error(fmt::format("'{}' has two of {}", name_, key));
      seen_[size_t(field)] = true;
      return;
    }
    throw_error(fmt::format("'{}' has a field '{}', expected dtype, shape and data_offsets,", name_, key));
  }

  void begin_tensor() {
    seen_ = {};
    dtype_.reset();
    extents_.clear();
    offsets_.clear();
  }

  void end_tensor() {
    for (const Field field : {Field::dtype, Field::shape, Field::data_offsets}) {
      field_ = field;
      if (!seen_[size_t(field)]) throw_error(fmt::format("'{}' has no {}", name_, field_name()));
    }
    if (offsets_.size() != 2 || offsets_[0] > offsets_[1]) {
      throw_error(
          fmt::format("'{}' has data_offsets [{}], expected a begin and an end", name_, fmt::join(offsets_, ", ")));
    }
    if (offsets_[1] > n_data_bytes_) {
      throw_error(
          fmt::format("'{}' ends at byte {} of {} data bytes; is the file whole?", name_, offsets_[1], n_data_bytes_));
    }
    StoredTensor tensor;
    tensor.dtype = *dtype_;
    tensor.shape = merged_shape();
    tensor.offset_bytes = data_offset_bytes_ + offsets_[0];
    tensor.n_bytes = offsets_[1] - offsets_[0];
    const int64_t expected = tensor.shape.n_elements() * size_bytes(*dtype_);
    if (tensor.n_bytes != expected) {
      throw_error(fmt::format("'{}' has {} bytes, expected {} for {} [{}],", name_, tensor.n_bytes, expected,
                              to_string(*dtype_), fmt::join(extents_, ", ")));
    }
    tensors_.emplace(std::move(name_), tensor);
  }

  // Every product of extents, in any order, fits into 63 bits once this has returned, since zeros count as ones here.
  Shape merged_shape() const {
    int64_t product = size_bytes(*dtype_);
    for (const int64_t extent : extents_) {
      if (__builtin_mul_overflow(product, std::max<int64_t>(extent, 1), &product)) {
        throw_error(fmt::format("'{}' has shape [{}], which exceeds 64 bits,", name_, fmt::join(extents_, ", ")));
      }
    }
    const size_t n_merged = extents_.size() > Shape::kMaxRank ? extents_.size() - Shape::kMaxRank : 0;
    int64_t leading = 1;
    for (size_t i = 0; i < n_merged; ++i) leading *= extents_[i];
    Shape shape;
    for (size_t i = n_merged; i < extents_.size(); ++i) {
      shape.append(std::exchange(leading, 1) * extents_[i]);
    }
    return shape;
  }

  const std::string_view file_name_;
  const int64_t data_offset_bytes_;
  const int64_t n_data_bytes_;

  Tensors tensors_;
  int depth_ = 0;          // 1 in the header's object, 2 in a tensor's, 3 in its lists
  bool skipping_ = false;  // within __metadata__
  bool has_metadata_ = false;
  std::string text_;  // parts of a key or string that are not complete yet

  // The tensor that is being read.
  std::string name_;
  Field field_ = Field::dtype;
  std::array<bool, 3> seen_{};
  std::optional<DType> dtype_;
  std::vector<int64_t> extents_;
  std::vector<int64_t> offsets_;
};

// Data must be covered once, from its first byte to its last.
void check_covered(const Tensors& tensors, int64_t data_offset_bytes, int64_t file_size_bytes,
                   std::string_view file_name) {
  std::vector<const Tensors::value_type*> in_order;
  in_order.reserve(tensors.size());
  for (const auto& entry : tensors) in_order.push_back(&entry);
  std::sort(in_order.begin(), in_order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->second.offset_bytes, a->second.n_bytes) < std::pair(b->second.offset_bytes, b->second.n_bytes);
  });
  int64_t end = data_offset_bytes;
  std::string_view before = "the header";
  for (const auto* entry : in_order) {
    const auto& [name, tensor] = *entry;
    if (tensor.offset_bytes != end) {
      throw Error(ErrorKind::checkpoint, "'{}' begins at byte {} of {}, expected {}, where {} ends: {}", name,
                  tensor.offset_bytes, file_name, end, before, tensor.offset_bytes < end ? "they overlap" : "a gap");
    }
    end += tensor.n_bytes;
    before = name;
  }
  if (end != file_size_bytes) {
    throw Error(ErrorKind::checkpoint, "{} has {} bytes, expected {}, where its last tensor ends", file_name,
                file_size_bytes, end);
  }
}

}  // namespace

std::map<std::string, StoredTensor, std::less<>> parse_safetensors_header(std::string_view header,
                                                                          int64_t data_offset_bytes,
                                                                          int64_t file_size_bytes,
                                                                          std::string_view file_name) {
  if (data_offset_bytes < 0 || data_offset_bytes > file_size_bytes) {
    throw Error(ErrorKind::checkpoint, "the header of {} ends at byte {}, the file at {}; is the file whole?",
                file_name, data_offset_bytes, file_size_bytes);
  }
  json::basic_parser<HeaderHandler> parser(json::parse_options{}, file_name, data_offset_bytes,
                                           file_size_bytes - data_offset_bytes);
  json::error_code error;
  const size_t n_parsed = parser.write_some(false, header.data(), header.size(), error);
  if (!error && header.find_first_not_of(" \t\r\n", n_parsed) != std::string_view::npos) {
    error = json::error::extra_data;
  }
  if (error) {
    throw Error(ErrorKind::checkpoint, "the header of {} is not valid JSON: {} at its byte {}", file_name,
                error.message(), n_parsed);
  }
  auto tensors = parser.handler().take_tensors();
  check_covered(tensors, data_offset_bytes, file_size_bytes, file_name);
  return tensors;
}

}  // namespace paro
