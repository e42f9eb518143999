import Glibc

/// The number of file descriptors that the daemon may have. A port takes some, and each connected guest more than a dozen.
enum OpenFiles {
    /// Below this number the operator is warned: systemd's default of 1 024 is used up by some 60 guests.
    private static let enough: rlim_t = 16_384

    /// Raises the limit as far as this process may.
    /// - Returns: a sentence if even that is little.
    static func raiseLimit() -> String? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        if limit.rlim_cur < limit.rlim_max {
            let before = limit.rlim_cur
            limit.rlim_cur = limit.rlim_max
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 { limit.rlim_cur = before }
        }
        guard limit.rlim_cur < enough else { return nil }
        return "only \(limit.rlim_cur) files can be open at a time, which is enough for some \(limit.rlim_cur / 16) guests: set LimitNOFILE=65536 in the unit, or ulimit -n 65536"
    }
}
