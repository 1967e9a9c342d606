/* A main for targets that are built without libFuzzer: runs every file named, and every file of every folder named. */
#include "require.h"

#include <dirent.h>
#include <stddef.h>
#include <sys/stat.h>

enum { INPUT_MAX = 1 << 20, PATH_SIZE = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long inputs;

static void run_file(const char *path)
{
    static uint8_t bytes[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    REQUIRE(file, "cannot read %s", path);
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, length);
    inputs++;
}

static void run_path(const char *path)
{
    struct stat status;
    char inner[PATH_SIZE];
    REQUIRE(!stat(path, &status), "no %s", path);
    if (!S_ISDIR(status.st_mode)) {
        run_file(path);
        return;
    }
    DIR *folder = opendir(path);
    REQUIRE(folder, "cannot open %s", path);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        run_file(inner);
    }
    closedir(folder);
}

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++) run_path(arguments[i]);
    printf("%lu inputs\n", inputs);
    return 0;
}
