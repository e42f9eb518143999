/// The memory in which writes to the guest's memory are logged (section "Migration"): bit n is set when the page n of 4096 bytes was written.
public struct LogRegion: Sendable, Equatable {
    /// Bytes of a page that a bit stands for (VHOST_LOG_PAGE).
    public static let pageSize: UInt64 = 4096

    /// Bytes.
    public let size: UInt64
    /// Where in the file it begins; bytes.
    public let offset: UInt64
    /// The file. It is open until the action after the one that maps the log.
    public let descriptor: ReceivedDescriptor

    static func fault(_ log: LogDescription, _ facts: DescriptorFacts) -> String? {
        if log.size == 0 { return "the log of written pages is empty" }
        let (end, overflows) = log.offset.addingReportingOverflow(log.size)
        if overflows { return "the log of written pages goes beyond the end of any file" }
        if facts.kind != .file { return "the log of written pages came with \(facts.kind.rawValue); it can be shared by a regular file only" }
        if end > facts.size { return "the log of written pages ends at byte \(end) of its file, which has \(facts.size) bytes" }
        return nil
    }

    /// Whether the log has bits for all pages of these guest addresses.
    public func covers(_ address: UInt64, length: UInt64) -> Bool {
        let (last, overflows) = address.addingReportingOverflow(length - 1)
        return !overflows && last / Self.pageSize / 8 < size
    }
}
