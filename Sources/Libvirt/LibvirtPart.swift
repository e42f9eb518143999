import Configuration

extension LibvirtConfiguration {
    /// The name of the part of the configuration that holds a domain's ports and guests.
    public static func partName(_ domain: String) -> String { Part.name(partPrefix, of: domain) }

    /// The prefix of the names of all parts that belong to domains.
    public static let partPrefix = "libvirt-"
}

extension LibvirtDomain {
    /// The names of the networks that the domain's interfaces inherit from. `LibvirtConfiguration` needs the XML of each.
    public var networks: Set<String> {
        Set(interfaces.compactMap { metadata.interface($0.mac)?.network ?? $0.network })
    }
}
