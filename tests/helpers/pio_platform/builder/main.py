"""SCons script: a program for this computer."""

from SCons.Script import Default, DefaultEnvironment

env = DefaultEnvironment()
env.Replace(AR="ar", AS="gcc", CC="gcc", CXX="g++", LINK="g++", RANLIB="ranlib", PROGNAME="program", PROGSUFFIX="")
env.Append(ASPPFLAGS=["-x", "assembler-with-cpp"], LIBS=["m"])
env.Replace(SIZECHECKCMD="true", SIZEPRINTCMD="true")
Default(env.BuildProgram())
