/* SwiftPM builds a C target from at least one source; this one shows that the header stands on its own. */
#include "jumping_types.h"
