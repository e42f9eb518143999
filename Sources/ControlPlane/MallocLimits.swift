import Glibc

/// How much freed memory malloc keeps. (mallopt(3) and malloc_trim(3), which Swift's Glibc does not declare.)
enum MallocLimits {
    /// Sets the limits. The first use of this has to be before threads are started, as an arena that exists stays.
    ///
    /// By itself, malloc raises two of them to what it has seen, up to 64 MiB, and then each arena may have that much free memory at its end, which malloc_trim
    /// leaves alone. And it makes up to eight arenas for each CPU; each keeps what a thread of the pool once needed there, so that the daemon grew by 40 MiB in
    /// its first 4 000 changes of ports, and with one arena by 3. Poll loops allocate nothing, and requests are handled one after the other, so threads hardly
    /// ever wait for each other at that one.
    static let set: Void = {
        guard let set = dlsym(nil, "mallopt").map({ unsafeBitCast($0, to: (@convention(c) (CInt, CInt) -> CInt).self) }) else { return }
        let trimThreshold: CInt = -1, mapThreshold: CInt = -3, mostArenas: CInt = -8
        _ = set(trimThreshold, 8 << 20)
        _ = set(mapThreshold, 4 << 20)
        _ = set(mostArenas, 1)
    }()

    /// Returns freed memory to the kernel.
    static func trim() { _ = function?(0) }

    /// nil: the C library has none.
    private static let function = dlsym(nil, "malloc_trim").map { unsafeBitCast($0, to: (@convention(c) (Int) -> CInt).self) }
}
