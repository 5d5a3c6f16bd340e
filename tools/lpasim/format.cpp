// lpasim format: the words of a number format, to check a decoder by eye.
#include <fmt/format.h>

#include "quant/formats/number_format.h"
#include "tools/lpasim/commands.h"
#include "tools/lpasim/options.h"
