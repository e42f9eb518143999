import Configuration

extension LibvirtConfiguration {
    /// The name of the part that holds what a domain has.
    public static func partName(_ domain: String) -> String { Part.name(partPrefix, of: domain) }

    /// What the names of all those parts begin with.
    public static let partPrefix = "libvirt-"
}

extension LibvirtDomain {
    /// Networks that its interfaces name, whose XML `LibvirtConfiguration` needs.
    public var networks: Set<String> {
        Set(interfaces.compactMap { metadata.interface($0.mac)?.network ?? $0.network })
    }
}
