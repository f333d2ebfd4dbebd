"""The commands by what they are about. Each is a few lines around a part of the bot; heavy parts are imported when they run."""
