import Packet

/// What an edit of one guest or one group comes to, if it changes nothing else but classes of that guest's port or of that group, and the class `rest`.
public struct LocalChange: Equatable, Sendable {
    /// The change of the model: either `guest` or `group` is set.
    public var guest: GuestEdit?
    public var group: Placed<GroupSettings>?
    /// The change of the port's guests; nil: the port keeps the same guests with the same addresses.
    public var port: PortGuests?
    public var trees: [TreeEdit] = []
    /// The change in words, as `Plan.lines` gives them; empty: nothing changes.
    public var lines: [String]
    /// The warnings that it brings (`Model.warnings(since:)`).
    public var warnings: [String] = []

    /// A guest that is added at the end of the model's list, changed, or removed.
    public enum GuestEdit: Equatable, Sendable {
        case add(GuestSettings)
        case set(Placed<GuestSettings>)
        case remove(place: Int)
    }

    /// New settings of the object at a place in the model's list.
    public struct Placed<Settings: Equatable & Sendable>: Equatable, Sendable {
        public var place: Int
        public var settings: Settings
    }

    /// The guests of a port, as they are after the change. Guests are named by the names of the effective guests.
    public struct PortGuests: Equatable, Sendable {
        public var port: String
        public var bridge: String
        public var all: [String]
        public var catchAll: String
        public var came: [String]
        public var gone: [String]
        /// Addresses that no guest of the port has any more, and addresses that belong to `owner` from now on.
        public var removed: [MACAddress]
        public var added: [MACAddress]
        public var owner: String

        public init(
            port: String, bridge: String, all: [String], catchAll: String, came: [String], gone: [String], removed: [MACAddress], added: [MACAddress],
            owner: String
        ) {
            (self.port, self.bridge, self.all, self.catchAll, self.came, self.gone) = (port, bridge, all, catchAll, came, gone)
            (self.removed, self.added, self.owner) = (removed, added, owner)
        }
    }

    /// What happens to one tree's classes. All places are places in the tree's `classes` before the change.
    public struct TreeEdit: Equatable, Sendable {
        /// The tree's name, and its index in the list of trees.
        public var name: String
        public var tree: Int
        /// New settings of classes that stay where they are; parents come before their children.
        public var changed: [Item] = []
        /// Runs of classes that are replaced by others, in ascending order of their places.
        public var splices: [Splice] = []

        /// New settings of the class at a place.
        public struct Item: Equatable, Sendable {
            public var place: Int
            public var settings: ClassParameters
        }
        /// Classes that replace the ones at a place.
        public struct Splice: Equatable, Sendable {
            public var place: Int
            /// How many classes are taken out at `place`.
            public var count: Int
            /// The classes that are put in there; parents come before their children.
            public var classes: [ClassDescription]
        }
        public var isEmpty: Bool { changed.isEmpty && splices.isEmpty }
    }
}

extension Model {
    /// Makes the change in the model.
    public mutating func adopt(_ change: LocalChange) {
        switch change.guest {
        case .add(let settings): guests.append(settings)
        case .set(let guest): guests[guest.place] = guest.settings
        case .remove(let place): guests.remove(at: place)
        case nil: break
        }
        if let group = change.group { groups[group.place] = group.settings }
    }
}

extension TreeDescription {
    /// Makes the edit in the tree's list of classes.
    public mutating func adopt(_ edit: LocalChange.TreeEdit) {
        for item in edit.changed { classes[item.place].settings = item.settings }
        for splice in edit.splices.reversed() { classes.replaceSubrange(splice.place..<splice.place + splice.count, with: splice.classes) }
    }

    /// The classes that an edit touches, as they are before it and as they are after it.
    public func concerned(by edit: LocalChange.TreeEdit) -> (old: [ClassDescription], new: [ClassDescription]) {
        var old: [ClassDescription] = [], new: [ClassDescription] = []
        for item in edit.changed {
            old.append(classes[item.place])
            new.append(classes[item.place])
            new[new.count - 1].settings = item.settings
        }
        for splice in edit.splices {
            old += classes[splice.place..<splice.place + splice.count]
            new += splice.classes
        }
        return (old, new)
    }
}

extension ClassIDs {
    mutating func adopt(tree: String, old: [ClassDescription], new: [ClassDescription]) {
        for item in old { set(nil, tree: tree, path: item.path) }
        for item in new { set(item.id, tree: tree, path: item.path) }
    }
}
